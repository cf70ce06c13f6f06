/** Every outcome that each command can have. The compiler holds both sides against the unions of `stock/`. */
import type { CommandType } from '../../src/stock/commands.ts';
import type { Outcome } from '../../src/stock/outcome.ts';

type Status = Outcome['status'];

const UNKNOWN = ['unknown-store', 'unknown-product'] as const;

export const EVERY_OUTCOME = {
  receive: ['done', 'level-limit', 'stale-version', ...UNKNOWN],
  distribute: ['done', 'insufficient', 'level-limit', ...UNKNOWN],
  transfer: ['done', 'insufficient', 'level-limit', ...UNKNOWN],
  issue: ['done', 'insufficient', 'stale-version', ...UNKNOWN],
  adjust: ['done', 'insufficient', 'level-limit', 'stale-version', ...UNKNOWN],
  count: ['counted', 'insufficient', 'level-limit', 'count-superseded', 'stale-count', 'stale-version', ...UNKNOWN],
  'configure-store': ['done'],
  'configure-product': ['done'],
  'configure-level': ['done', 'stale-version', ...UNKNOWN],
  reserve: ['reserved', 'insufficient', ...UNKNOWN],
  confirm: [
    'confirmed',
    'insufficient',
    'quantity-exceeds',
    'reservation-confirmed',
    'reservation-released',
    'reservation-expired',
    'unknown-reservation',
  ],
  release: ['released', 'reservation-confirmed', 'unknown-reservation'],
  extend: ['extended', 'reservation-confirmed', 'reservation-released', 'reservation-expired', 'unknown-reservation'],
  expire: ['expired'],
  undo: ['done'],
  'answer-order': ['done'],
} as const satisfies Record<CommandType, readonly Status[]>;

type Listed = (typeof EVERY_OUTCOME)[CommandType][number];

/** Does not compile when the union has an outcome that no command lists. */
export const ALL_ARE_LISTED: Status extends Listed ? true : never = true;

/** What the executor can make of it; `unavailable` and `unknown` belong to the tests of failures. */
export const EVERY_ANSWER = ['answer recorded', 'answer replayed', 'answer observed', 'answer mismatch'];
