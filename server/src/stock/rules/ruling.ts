import type { Hold, Line, Read, TotalsRead } from '../entry.ts';
import { available, type LevelRead } from '../entry.ts';
import type { InsufficientLine, Outcome } from '../outcome.ts';

/** What a rule makes of a command: the outcome, and the changes that follow from it. */
export interface Ruling {
  outcome: Outcome;
  lines: Line[];
  /** Holds as they are afterwards. */
  holds: Hold[];
}

export function refuse(outcome: Outcome): Ruling {
  return { outcome, lines: [], holds: [] };
}

export function succeed(outcome: Outcome, lines: Line[], holds: Hold[] = []): Ruling {
  return { outcome, lines, holds };
}

export function levelAt(read: Read, index: number): LevelRead {
  const level = read.levels[index];
  if (level === undefined) throw new Error(`the read set has no level ${index}`);
  return level;
}

function totalsOf(read: Read, productId: string): TotalsRead {
  const totals = read.totals.find((candidate) => candidate.productId === productId);
  if (totals === undefined) throw new Error(`the read set has no totals of ${productId}`);
  return totals;
}

/** The line of an `insufficient` outcome for a level that cannot give what was asked. */
function insufficientLine(read: Read, level: LevelRead, requested: number, canGive: number): InsufficientLine {
  return {
    storeId: level.storeId,
    productId: level.productId,
    requested,
    available: canGive,
    hqAvailable: available(totalsOf(read, level.productId)),
  };
}

/** Levels that lack what is taken from them, given how much each can give; empty: all of it can be had. */
export function lacking(
  read: Read,
  takes: readonly { level: number; quantity: number }[],
  canGive: (level: LevelRead) => number = available,
): InsufficientLine[] {
  const lines: InsufficientLine[] = [];
  for (const take of takes) {
    const level = levelAt(read, take.level);
    const have = canGive(level);
    if (have < take.quantity) lines.push(insufficientLine(read, level, take.quantity, have));
  }
  return lines;
}

/** The one level of a command that carries `expectedVersion` must still have it. */
export function staleVersion(read: Read, expectedVersion: number | undefined): Ruling | null {
  if (expectedVersion === undefined) return null;
  const { version } = levelAt(read, 0);
  return version === expectedVersion ? null : refuse({ status: 'stale-version', version });
}
