/**
 * The outcomes of a page stand in order of precedence. Each refusal has a fault that brings it about; with the faults of
 * a refusal and of all that stand below it, the rules must answer that refusal.
 */
import { describe, expect, it } from 'vitest';
import type { Command } from '../../src/stock/commands.ts';
import type { Hold, LevelRead, Read } from '../../src/stock/entry.ts';
import { ON_HAND_MAX } from '../../src/stock/limits.ts';
import type { Outcome } from '../../src/stock/outcome.ts';
import { decide } from '../../src/stock/rules.ts';
import { codesOf, readPage, sectionOf, tableRows } from './markdown.ts';

type Status = Outcome['status'];

/** A command with all its possible fields, and what it reads. */
interface Scene {
  command: Record<string, unknown> & { items: Record<string, unknown>[] };
  read: Read;
}

type Faults = [Status, (scene: Scene) => void][];

const HOLD: Hold = {
  reservationId: 'rsv_0_0',
  storeId: 'S',
  transactionId: 'T',
  orderId: null,
  status: 'active',
  createdAt: 0,
  expiresAt: 1_000,
  items: [{ storeId: 'S', productId: 'P', reserved: 2, confirmed: 0, released: 0 }],
};

function level(productId: string): LevelRead {
  return { storeId: 'S', productId, onHand: 100, reserved: 2, safetyStock: 0, lowThreshold: null, version: 7 };
}

/** Two lines for what takes or adds stock: `P` and `Q`. */
function scene(type: string): Scene {
  const item = { storeId: 'S', quantity: 5, change: 5, counted: 100, onHandThen: 100, basedOn: null };
  const pairs = type === 'distribute' || type === 'transfer';
  const levels = ['P', 'Q'].flatMap((productId) =>
    pairs ? [{ ...level(productId), storeId: 'HQ' }, level(productId)] : [level(productId)],
  );
  return {
    command: {
      type,
      storeId: 'S',
      reservationId: HOLD.reservationId,
      orderId: 'O',
      ttlMs: 1_000,
      countedAt: 500,
      keepRest: false,
      settings: { safetyStock: null, lowThreshold: null },
      items: ['P', 'Q'].map((productId) => ({ ...item, productId })),
    },
    read: {
      levels,
      totals: ['P', 'Q'].map((productId) => ({ productId, onHand: 100, reserved: 2, safetyStock: 0 })),
      holds: [structuredClone(HOLD)],
      settings: { current: null, fallback: { safetyStock: null, lowThreshold: null } },
    },
  };
}

const hold = ({ read }: Scene): Hold => read.holds[0] as Hold;
const itemAt = ({ command }: Scene, index: number) => command.items[index] as Record<string, unknown>;
const levelAt = ({ read }: Scene, index: number): LevelRead => read.levels.at(index) as LevelRead;

const UNKNOWN: Faults = [
  [
    'unknown-store',
    ({ read }) => {
      read.unknownStore = 'S';
    },
  ],
  [
    'unknown-product',
    ({ read }) => {
      read.unknownProduct = 'P';
    },
  ],
];
const STALE: Faults = [
  [
    'stale-version',
    ({ command }) => {
      command.expectedVersion = 6;
    },
  ],
];
const LACKING: Faults = [
  [
    'insufficient',
    (at) => {
      Object.assign(itemAt(at, 0), { quantity: 1_000, change: -1_000, counted: 0, onHandThen: 1_000 });
    },
  ],
];
const FULL: Faults = [
  [
    'level-limit',
    (at) => {
      levelAt(at, -1).onHand = ON_HAND_MAX;
      Object.assign(itemAt(at, 1), { counted: 200 });
    },
  ],
];
const NO_HOLD: Faults = [
  [
    'unknown-reservation',
    ({ read }) => {
      read.holds = [];
    },
  ],
];
const RELEASED: Faults = [
  [
    'reservation-released',
    (at) => {
      hold(at).status = 'released';
    },
  ],
];
const CONFIRMED: Faults = [
  [
    'reservation-confirmed',
    (at) => {
      Object.assign(hold(at), { status: 'confirmed', orderId: 'another' });
    },
  ],
];
const SOLD_OUT = (at: Scene) => {
  levelAt(at, 0).onHand = 0;
};
const EXPIRED: Faults = [
  [
    'reservation-expired',
    (at) => {
      hold(at).status = 'expired';
      SOLD_OUT(at);
    },
  ],
];
const COUNTED_BEFORE: Faults = [
  [
    'count-superseded',
    (at) => {
      levelAt(at, 0).lastCount = { countedAt: 900, seq: 3 };
    },
  ],
  [
    'stale-count',
    (at) => {
      levelAt(at, 0).lastCount = { countedAt: 100, seq: 3 };
    },
  ],
];
const TOO_MUCH: Faults = [['quantity-exceeds', (at) => Object.assign(itemAt(at, 0), { quantity: 1_000 })]];

const PAGES: Record<string, { type: string; faults: Faults; prepare?: (at: Scene) => void }> = {
  receive: { type: 'receive', faults: [...UNKNOWN, ...STALE, ...FULL] },
  distribute: { type: 'distribute', faults: [...UNKNOWN, ...LACKING, ...FULL] },
  transfer: { type: 'transfer', faults: [...UNKNOWN, ...LACKING, ...FULL] },
  issue: { type: 'issue', faults: [...UNKNOWN, ...STALE, ...LACKING] },
  adjust: { type: 'adjust', faults: [...UNKNOWN, ...STALE, ...LACKING, ...FULL] },
  count: { type: 'count', faults: [...UNKNOWN, ...STALE, ...COUNTED_BEFORE, ...LACKING, ...FULL] },
  configure: { type: 'configure-level', faults: [...UNKNOWN, ...STALE] },
  reserve: { type: 'reserve', faults: [...UNKNOWN, ...LACKING] },
  confirm: {
    type: 'confirm',
    faults: [...NO_HOLD, ...RELEASED, ...CONFIRMED, ...TOO_MUCH, ...EXPIRED, ['insufficient', SOLD_OUT]],
    prepare: ({ command }) => {
      command.items = [{ storeId: 'S', productId: 'P', quantity: 2 }];
    },
  },
  release: { type: 'release', faults: [...NO_HOLD, ...CONFIRMED] },
  extend: { type: 'extend', faults: [...NO_HOLD, ...RELEASED, ...CONFIRMED, ...EXPIRED] },
};

/** The lowest fault first, so that a higher one has the last word where both set the same. */
function outcomeWith(faults: Faults, { type, prepare }: (typeof PAGES)[string]): Status {
  const at = scene(type);
  prepare?.(at);
  for (const [, spoil] of faults.toReversed()) spoil(at);
  return decide(at.command as unknown as Command, at.read, 1_000).outcome.status;
}

describe.each(Object.entries(PAGES))('the page of %s', (name, page) => {
  const rows = tableRows(sectionOf(readPage(`docs/reference/commands/${name}.md`), '## Outcomes'));
  const listed = rows.map(([outcome = '']) => codesOf(outcome)[0] as Status);

  it('lists the refusals in the order in which they are tried here, and the success last', () => {
    expect(listed.slice(0, -1)).toEqual(page.faults.map(([status]) => status));
    expect(outcomeWith([], page)).toBe(listed.at(-1));
  });

  it.each(page.faults.map(([status], index) => [status, index] as const))(
    '%s comes before what follows',
    (status, index) => {
      expect(outcomeWith(page.faults.slice(index), page)).toBe(status);
    },
  );
});
