/**
 * What a seed makes happen, laid down before it runs: a list of steps from which steps can be left out, so that a
 * failing list can be shrunk. A step carries its own seed for its delays, and names others by their number.
 */
import type { Item } from '../../src/stock/commands.ts';
import { Random } from './random.ts';

export const FAULTS = [
  'commit-full',
  'commit-lost',
  'commit-kept',
  'commit-slow',
  'crash-now',
  'crash-before-commit',
  'crash-after-commit',
  'crash-commit-arrives-late',
  'crash-projecting',
  'crash-before-publishing',
  'crash-after-publishing',
  'crash-saving-cursors',
  'publish-fails',
  'epoch-fails',
] as const;
export type Fault = (typeof FAULTS)[number];

export type Move =
  | { do: 'receive' | 'issue' | 'adjust' | 'distribute' | 'transfer'; hq: number; items: Item[]; to: string }
  | { do: 'count'; hq: number; items: Item[]; agoMs: number | null }
  | { do: 'configure'; hq: number; item: Item; level: boolean; safety: number | null; low: number | null }
  | { do: 'reserve'; hq: number; items: Item[]; ttlMs: number; order: boolean }
  | { do: 'confirm'; of: number; order: number; part: number | null; keepRest: boolean }
  | { do: 'release'; of: number; withId: boolean }
  | { do: 'extend'; of: number; ttlMs: number }
  /** The operation of another step is asked for again, or its id is used for another body. */
  | { do: 'repeat'; of: number; otherBody: boolean }
  | { do: 'fault'; fault: Fault }
  | { do: 'clock'; jumpMs: number }
  | { do: 'fold' };

export interface Step {
  number: number;
  gapMs: number;
  seed: number;
  move: Move;
}

export interface Plan {
  seed: number;
  hqIds: string[];
  stock: number;
  window: { windowMs: number; countMax: number; keepMs: number; countHard: number };
  commitMs: number;
  steps: Step[];
}

/** The first two share a partition. */
const HQ_IDS = ['A', 'AH', 'B'];
export const STORE_IDS = ['HQ', 'S1', 'S2'];
export const PRODUCT_IDS = ['P1', 'P2'];

export function planOf(seed: number): Plan {
  const random = new Random(seed);
  const plan: Plan = {
    seed,
    hqIds: HQ_IDS.slice(0, random.between(1, 3)),
    stock: random.between(2, 12),
    window: {
      windowMs: random.of([2_000, 10_000, 60_000, 3_600_000]),
      countMax: random.of([3, 10, 1_000_000]),
      keepMs: random.of([0, 500, 2_000]),
      countHard: 1_000_000,
    },
    commitMs: random.of([1, 5, 20, 200]),
    steps: [],
  };
  const length = random.between(30, 140);
  const faulty = random.of([0.5, 1, 3]);
  for (let number = 0; number < length; number += 1) {
    plan.steps.push({
      number,
      gapMs: gapOf(random),
      seed: random.between(0, 0x7fffffff),
      move: moveOf(random, plan, faulty),
    });
  }
  return plan;
}

function gapOf(random: Random): number {
  switch (random.weighted({ none: 30, short: 50, long: 16, pause: 4 })) {
    case 'none':
      return 0;
    case 'short':
      return random.between(1, 40);
    case 'long':
      return random.between(40, 1_500);
    case 'pause':
      return random.between(2_000, 30_000);
  }
}

function itemsOf(random: Random, max = 3): Item[] {
  const items = new Map<string, Item>();
  for (let count = random.between(1, 2); count > 0; count -= 1) {
    const storeId = random.of(['HQ', 'S1', 'S1', 'S2']);
    const productId = random.of(['P1', 'P1', 'P2']);
    items.set(`${storeId} ${productId}`, { storeId, productId, quantity: random.between(1, max) });
  }
  return [...items.values()];
}

const WEIGHTS = {
  reserve: 24,
  confirm: 20,
  release: 7,
  extend: 5,
  receive: 3,
  issue: 4,
  adjust: 2,
  distribute: 3,
  transfer: 3,
  count: 4,
  configure: 3,
  repeat: 12,
  clock: 2,
  fold: 2,
};

function moveOf(random: Random, plan: Plan, faulty: number): Move {
  const hq = random.between(0, plan.hqIds.length - 1);
  const kind = random.weighted({ ...WEIGHTS, fault: 6 * faulty });
  const of = earlier(random, plan, kind === 'repeat' ? null : 'reserve');
  switch (kind) {
    case 'reserve':
      return {
        do: 'reserve',
        hq,
        items: itemsOf(random),
        ttlMs: random.of([1_000, 5_000, 60_000]),
        order: random.chance(0.3),
      };
    case 'confirm':
      return {
        do: 'confirm',
        of,
        order: random.between(0, 9) === 0 ? 1 : 0,
        part: random.chance(0.4) ? random.between(1, 3) : null,
        keepRest: random.chance(0.6),
      };
    case 'release':
      return { do: 'release', of, withId: random.chance(0.5) };
    case 'extend':
      return { do: 'extend', of, ttlMs: random.of([1_000, 5_000, 60_000]) };
    case 'count':
      return {
        do: 'count',
        hq,
        items: itemsOf(random, 8),
        agoMs: random.chance(0.3) ? null : random.of([0, 100, 2_000, 20_000]),
      };
    case 'configure':
      return {
        do: 'configure',
        hq,
        item: itemsOf(random)[0] as Item,
        level: random.chance(0.5),
        safety: random.of([null, 0, 1, 3]),
        low: random.of([null, 2]),
      };
    case 'repeat':
      return { do: 'repeat', of, otherBody: random.chance(0.2) };
    case 'fault':
      return { do: 'fault', fault: random.of(FAULTS) };
    case 'clock':
      return { do: 'clock', jumpMs: random.of([-3_600_000, -5_000, -500, 500, 5_000, 70_000, 7_200_000]) };
    case 'fold':
      return { do: 'fold' };
    default:
      return { do: kind, hq, items: itemsOf(random), to: random.of(['S1', 'S2']) };
  }
}

/** The number of an earlier step of this kind, the later the likelier; -1: there is none. */
function earlier(random: Random, { steps }: Plan, kind: Move['do'] | null): number {
  const asks = new Set<Move['do']>(['fault', 'clock', 'fold', 'repeat']);
  const candidates = steps.filter(({ move }) => (kind === null ? !asks.has(move.do) : move.do === kind));
  const back = Math.floor(random.next() ** 2 * Math.min(candidates.length, 12));
  return candidates.at(-1 - back)?.number ?? -1;
}

export function showStep({ number, gapMs, move }: Step): string {
  const { do: what, ...rest } = move;
  return `${String(number).padStart(4)}  +${gapMs} ms  ${what} ${JSON.stringify(rest)}`;
}
