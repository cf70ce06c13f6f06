import type { LockObserver } from '../../src/locking/locks.ts';

export interface Observed {
  waits: number;
  contentions: number;
  losses: number;
  deadlocksAvoided: number;
  failures: unknown[];
}

/** Counts what is told of locks. */
export function observed(): { seen: Observed; observer: LockObserver } {
  const seen: Observed = { waits: 0, contentions: 0, losses: 0, deadlocksAvoided: 0, failures: [] };
  const observer: LockObserver = {
    waited: () => {
      seen.waits += 1;
    },
    contended: () => {
      seen.contentions += 1;
    },
    lost: () => {
      seen.losses += 1;
    },
    deadlockAvoided: () => {
      seen.deadlocksAvoided += 1;
    },
    failed: (error) => seen.failures.push(error),
  };
  return { seen, observer };
}
