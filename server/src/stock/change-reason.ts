import type { Entry, Line } from './entry.ts';

/** Why stock changed, in the words of the wire (`docs/reference/events.md`). */
export type ChangeReason =
  | 'SALE'
  | 'RECEIPT'
  | 'DISTRIBUTION'
  | 'TRANSFER'
  | 'DECREASE'
  | 'ADJUSTMENT'
  | 'COUNT'
  | 'RETURN'
  | 'CORRECTION'
  /** The rest shows only in the history: on-hand stock does not change. */
  | 'RESERVED'
  | 'RELEASED'
  | 'EXPIRED'
  | 'EXTENDED'
  | 'ANSWERED'
  | 'CONFIGURED';

const REASONS: Record<Exclude<Entry['command']['type'], 'confirm'>, ChangeReason> = {
  receive: 'RECEIPT',
  distribute: 'DISTRIBUTION',
  transfer: 'TRANSFER',
  issue: 'DECREASE',
  adjust: 'ADJUSTMENT',
  count: 'COUNT',
  reserve: 'RESERVED',
  release: 'RELEASED',
  expire: 'EXPIRED',
  extend: 'EXTENDED',
  undo: 'CORRECTION',
  'answer-order': 'ANSWERED',
  'configure-store': 'CONFIGURED',
  'configure-product': 'CONFIGURED',
  'configure-level': 'CONFIGURED',
};

/** An entry that was decided twice and its undoing are both corrections. */
export function isCorrection(entry: Pick<Entry, 'command' | 'duplicateOf'>): boolean {
  return entry.duplicateOf !== null || entry.command.type === 'undo';
}

/**
 * The business reason of an entry, or of one of its lines: a confirmation sells, but a line of it that only gives
 * back the rest of a hold sold nothing.
 */
export function changeReasonOf(entry: Pick<Entry, 'command' | 'duplicateOf'>, line?: Line): ChangeReason {
  if (isCorrection(entry)) return 'CORRECTION';
  const { type } = entry.command;
  if (type !== 'confirm') return REASONS[type];
  return line !== undefined && line.onHandChange === 0 ? 'RELEASED' : 'SALE';
}

/** The reservation that a line belongs to, if any; an expiry closes several and its lines tell theirs. */
export function reservationIdOf({ command, holds }: Pick<Entry, 'command' | 'holds'>, line?: Line): string | null {
  if (line?.hold !== undefined) return holds[line.hold]?.reservationId ?? null;
  return 'reservationId' in command ? (command.reservationId ?? null) : null;
}

/**
 * What a change refers to: the order of a sale, the reference of a receipt, else the operation id, else the
 * reservation, else the entry itself (`ent_<partition>_<seq>`).
 */
export function referenceIdOf(
  entry: Pick<Entry, 'command' | 'holds' | 'operationId' | 'duplicateOf' | 'partition' | 'seq'>,
  line?: Line,
): string {
  return (
    businessReferenceOf(entry) ??
    entry.operationId ??
    reservationIdOf(entry, line) ??
    `ent_${entry.partition}_${entry.seq}`
  );
}

/** The part of `referenceIdOf` that a caller named apart from the operation id; null: there is none. */
export function businessReferenceOf({ command }: Pick<Entry, 'command'>): string | null {
  if (command.type === 'confirm') return command.orderId;
  return command.type === 'receive' ? (command.reference ?? null) : null;
}
