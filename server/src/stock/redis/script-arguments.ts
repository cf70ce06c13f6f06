/** What each script is called with, in order: the arguments of its header. `scripts.ts` refuses one that differs. */
import type { CommandType } from '../commands.ts';

const KNOWN = ['partition', 'epoch', 'knownSeq'] as const;

const DECISION = [
  ...KNOWN,
  'nowMs',
  'hqId',
  'operationId',
  'lookedUpAt',
  'projectedHold',
  'correlation',
  'requestText',
  'commandText',
] as const;

/** Those that the includes use too. */
export const SHARED_ARGUMENTS = DECISION;

export const SCRIPT_ARGUMENTS = {
  receive: DECISION,
  distribute: DECISION,
  transfer: DECISION,
  issue: DECISION,
  adjust: DECISION,
  count: DECISION,
  'configure-store': DECISION,
  'configure-product': DECISION,
  'configure-level': DECISION,
  reserve: DECISION,
  confirm: DECISION,
  release: DECISION,
  extend: DECISION,
  undo: DECISION,
  'answer-order': DECISION,
  'expire-due': [...KNOWN, 'nowMs'],
  'read-levels': [...KNOWN, 'hqId', 'names'],
  'read-totals': [...KNOWN, 'hqId', 'productId'],
  'read-hold': [...KNOWN, 'reservationId'],
  'read-head': KNOWN,
  recorded: ['partition', 'epoch', 'seq'],
  load: ['partition', 'epoch', 'commands'],
  open: ['epoch', 'seq', 'mark', 'at', 'floor', 'levels'],
} as const satisfies Record<Exclude<CommandType, 'expire'> | string, readonly string[]>;

export type ScriptName = keyof typeof SCRIPT_ARGUMENTS;
export type ScriptArguments<Name extends ScriptName> = Record<(typeof SCRIPT_ARGUMENTS)[Name][number], string | number>;
