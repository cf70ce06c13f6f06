/**
 * What a memory engine was asked, asked of Redis: the same calls at the same times in the same order, sent without
 * waiting for one another, each answer compared. Each sequence has an epoch of its own.
 */
import { isDeepStrictEqual } from 'node:util';
import { EntryChecker } from '../../src/recording/entry-checker.ts';
import type { Entry } from '../../src/stock/entry.ts';
import { partitionOf } from '../../src/stock/identifiers.ts';
import { headKey } from '../../src/stock/redis/keys.ts';
import type { SharedHead } from '../../src/stock/shared-engine.ts';
import type { Decision } from '../../src/stock/stock-engine.ts';
import { type EngineRig, headOf } from '../stock/redis/engine-rig.ts';
import { differences, type ReadsAtOnce } from './model-differences.ts';
import { HQ_IDS, PRODUCT_IDS, STORE_IDS } from './random-steps.ts';
import type { StockModel } from './stock-model.ts';
import type { TracedCall } from './traced-engine.ts';

const PARTITIONS = [...new Set(HQ_IDS.map((hqId) => partitionOf(hqId)))];

/** No sequence of this process sees another's keys. */
let epochs = 0;

export class RedisTwin {
  readonly #rig: EngineRig;
  #epoch = 0;

  constructor(rig: EngineRig) {
    this.#rig = rig;
  }

  /** `whole`: nothing is told to be recorded, so the journal holds all entries at the end, and they are compared. */
  async run(calls: readonly TracedCall[], model: StockModel, whole: boolean): Promise<void> {
    await this.#openEpoch();
    const entries: Entry[] = [];
    const answers = calls.map((call) => {
      if (call.kind === 'decide' && call.decision.kind === 'decided') entries.push(call.decision.entry);
      return this.#ask(call, whole);
    });
    for (const difference of await Promise.all(answers)) if (difference !== null) throw new Error(difference);
    if (whole) await this.#compareJournal(entries);
    await this.#compareState(model);
  }

  async #openEpoch(): Promise<void> {
    epochs += 1;
    this.#epoch = epochs;
    for (const partition of PARTITIONS) {
      const head = headOf({ partition, epoch: this.#epoch });
      this.#rig.heads.set(partition, head);
      const { epoch, seq, mark, at } = head;
      const values = { epoch, seq, mark, at, floor: 0, levels: 0 };
      await this.#rig.scripts.call(this.#rig.connection, 'open', headKey(partition), values);
    }
  }

  /** What differs; null: nothing. The call is sent before this returns. */
  async #ask(call: TracedCall, whole: boolean): Promise<string | null> {
    const { engine, clock, scripts, connection } = this.#rig;
    if (call.kind === 'recorded') {
      if (whole) return null;
      const { partition, seq } = call.head;
      await scripts.call(connection, 'recorded', headKey(partition), { partition, epoch: this.#epoch, seq });
      return null;
    }
    clock.nowMs = call.nowMs;
    if (call.kind === 'expire-due') {
      const { holds } = await engine.expireDue();
      return holds === call.holds ? null : `expiry closed ${holds} holds in Redis, ${call.holds} in memory`;
    }
    const [actual, expected] = [comparable(await engine.decide(call.request)), comparable(call.decision)];
    if (isDeepStrictEqual(actual, expected)) return null;
    return `${JSON.stringify(call.request)}:\nRedis  ${JSON.stringify(actual)}\nmemory ${JSON.stringify(expected)}`;
  }

  async #compareJournal(expected: readonly Entry[]): Promise<void> {
    const checker = new EntryChecker();
    const actual: Entry[] = [];
    for (const partition of PARTITIONS) {
      let head = this.#rig.heads.get(partition) as SharedHead;
      const [reading] = await this.#rig.journal.read([head], 100_000, 0);
      if (reading === undefined) continue;
      if (reading.kind !== 'entries') throw new Error(JSON.stringify(reading));
      for (const { entry, mark } of reading.batch.entries) {
        checker.check(entry, head);
        head = { ...head, seq: entry.seq, at: entry.at, mark };
        if (entry.command.type !== 'expire') actual.push(entry);
      }
    }
    const bySeq = (one: Entry, other: Entry) => one.partition - other.partition || one.seq - other.seq;
    const [left, right] = [actual, expected].map((entries) => [...entries].sort(bySeq).map(ofAnyEpoch));
    if (!isDeepStrictEqual(left, right)) throw new Error(`journals differ: ${JSON.stringify({ left, right })}`);
  }

  async #compareState(model: StockModel): Promise<void> {
    const { engine } = this.#rig;
    const levels = new Map<string, Awaited<ReturnType<typeof engine.levels>>>();
    const totals = new Map<string, Awaited<ReturnType<typeof engine.totals>>>();
    const holds = new Map<string, Awaited<ReturnType<typeof engine.hold>>>();
    for (const hqId of HQ_IDS) {
      for (const productId of PRODUCT_IDS) {
        const keys = STORE_IDS.map((storeId) => ({ storeId, productId }));
        levels.set(`${hqId} ${productId}`, await engine.levels(hqId, keys));
        totals.set(`${hqId} ${productId}`, await engine.totals(hqId, productId));
      }
      for (const id of model.hq(hqId).holds.keys()) holds.set(id, await engine.hold(id));
    }
    const reads: ReadsAtOnce = {
      levels: (hqId, keys) => levels.get(`${hqId} ${keys[0]?.productId}`) ?? [],
      totals: (hqId, productId) => totals.get(`${hqId} ${productId}`) ?? null,
      hold: (id) => holds.get(id) ?? null,
    };
    const found = differences(reads, model, { hqIds: HQ_IDS, storeIds: STORE_IDS, productIds: PRODUCT_IDS });
    if (found.length > 0) throw new Error(found.join('\n'));
  }
}

/** Without what must differ: epochs, and the names of entries. */
function comparable(decision: Decision): unknown {
  switch (decision.kind) {
    case 'decided':
      return ofAnyEpoch(decision.entry);
    case 'repeated':
      return { kind: decision.kind, seq: decision.place.seq };
    case 'observed':
      return JSON.parse(JSON.stringify({ ...decision, head: decision.head.seq }));
    default:
      return decision;
  }
}

/** The levels that follow a product's default come in the order of the engine's own. */
function ofAnyEpoch(entry: Entry): unknown {
  const plain = JSON.parse(JSON.stringify({ ...entry, epoch: 0 })) as Entry;
  if (plain.command.type === 'configure-product') {
    plain.read.levels.sort((one, other) => (one.storeId < other.storeId ? -1 : 1));
  }
  return plain;
}
