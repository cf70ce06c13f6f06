/** What a projection is, whatever database holds its tables. */
import type { changesOf, Entry } from '../stock/entry.ts';

/** In the order in which an entry changes them. */
export const PROJECTION_NAMES = ['levels', 'movements', 'reservations', 'audit', 'settings'] as const;
export type ProjectionName = (typeof PROJECTION_NAMES)[number];

export function isProjectionName(name: string): name is ProjectionName {
  return (PROJECTION_NAMES as readonly string[]).includes(name);
}

/** A line with its level before and after it. */
export type ChangedLevel = ReturnType<typeof changesOf>[number];

/** An entry on its way into the tables; its lines are worked out once for all projections. */
export interface ProjectedEntry {
  entry: Entry;
  changes: readonly ChangedLevel[];
}

/** What a projection holds is not what an entry says it found: one of the two was changed by hand, or a rule is wrong. */
export class ProjectionMismatch extends Error {
  constructor(entry: Pick<Entry, 'partition' | 'seq' | 'command'>, reason: string) {
    super(`entry ${entry.seq} of partition ${entry.partition} (${entry.command.type}): ${reason}`);
    this.name = 'ProjectionMismatch';
  }
}

/** The projections cannot be opened: what is wrong, and what to do about it. */
export class ProjectionsUnusable extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'ProjectionsUnusable';
    this.code = code;
  }
}
