/**
 * Who decides whether a run kept the promises. It sees every commit and every answer at the moment they happen, keeps
 * the independent model of what is recorded, and believes nothing that the parts under test say of themselves.
 */
import { hash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { StockEvent } from '../../src/events/event-feed.ts';
import { eventsOf } from '../../src/events/events-of.ts';
import type { PartitionRecord, RecordResult } from '../../src/ledger/ledger.ts';
import type { Execution } from '../../src/recording/command-executor.ts';
import { changesOf, type Entry } from '../../src/stock/entry.ts';
import { decodeEntry } from '../../src/stock/entry-codec.ts';
import type { RecordedHead } from '../../src/stock/stock-engine.ts';
import { brokenInvariants, showHold, showModelHold } from '../model/model-differences.ts';
import { StockModel } from '../model/stock-model.ts';

export interface Problem {
  oracle: string;
  text: string;
}

/** Problems after the first few only repeat it. */
const PROBLEMS_MAX = 5;
const TAKING = new Set(['reserve', 'issue', 'distribute', 'transfer']);

export interface Asked {
  hqId: string;
  operationId: string | null;
  body: string | null;
  /** Entries that were recorded when the request was sent. */
  recordedBefore: number;
}

export class Judge {
  readonly problems: Problem[] = [];
  readonly model = new StockModel();
  readonly entries: Entry[] = [];
  readonly #byOperation = new Map<string, Entry>();
  readonly #byPlace = new Map<string, Entry>();
  readonly #heads = new Map<number, { epoch: number; seq: number; at: number; hash: string }>();
  readonly #published: StockEvent[] = [];
  #late: readonly PartitionRecord[] | null = null;

  blame(oracle: string, text: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push({ oracle, text });
  }

  entryOf(hqId: string, operationId: string): Entry | undefined {
    return this.#byOperation.get(`${hqId} ${operationId}`);
  }

  /** Time of the last line of a product. */
  lastChangeOf(hqId: string, productId: string): number {
    const changed = this.entries.findLast(
      (entry) => entry.hqId === hqId && changesOf(entry).some(({ after }) => after.productId === productId),
    );
    return changed?.at ?? 0;
  }

  /** A transaction is on disk. */
  committed(records: readonly PartitionRecord[], heads: readonly RecordedHead[]): void {
    for (const [index, { head, entries }] of records.entries()) {
      let previous = this.#heads.get(head.partition)?.hash ?? head.hash;
      for (const row of entries) {
        const entry = decodeEntry(row.body);
        this.#follow(entry, row.seq);
        previous = hash('sha256', `${previous}\n${row.body}`, 'hex');
        this.#heads.set(entry.partition, { epoch: entry.epoch, seq: entry.seq, at: entry.at, hash: previous });
        this.#replay(entry);
      }
      if (heads[index]?.hash !== previous)
        this.blame('chain', `the head of partition ${head.partition} is not the hash of its entries`);
    }
    for (const problem of brokenInvariants(this.model)) this.blame('invariants', problem);
  }

  #follow(entry: Entry, seq: number): void {
    const { partition } = entry;
    const head = this.#heads.get(partition) ?? { epoch: 0, seq: 0, at: 0 };
    const follows = entry.seq === head.seq + 1 && entry.seq === seq && entry.epoch >= head.epoch && entry.at >= head.at;
    if (!follows)
      this.blame(
        'chain',
        `entry ${entry.epoch}-${entry.seq} of partition ${partition} follows ${head.epoch}-${head.seq}`,
      );
  }

  /** The model decides what the entry says was asked, and must come to the same. */
  #replay(entry: Entry): void {
    const { hqId, operationId, fingerprint, command, at, seq } = entry;
    const name = `entry ${seq} (${command.type} ${operationId})`;
    for (const read of entry.read.levels) {
      const level = this.model.hq(hqId).levels.get(`${read.storeId} ${read.productId}`);
      const known = `${level?.onHand ?? 0}/${level?.reserved ?? 0}/${this.model.safetyStock(hqId, read.storeId, read.productId)}`;
      const said = `${read.onHand}/${read.reserved}/${read.safetyStock}`;
      if (known !== said)
        this.blame('model', `${name} read ${read.storeId}/${read.productId} as ${said}, recorded is ${known}`);
    }
    const { kind, outcome } = this.model.execute({ hqId, operationId, body: fingerprint, command }, at, seq);
    if (kind !== 'first') this.blame('one effect', `${name} is the second entry of its operation id`);
    else if (!isDeepStrictEqual(outcome, entry.outcome)) {
      this.blame('model', `${name} says ${JSON.stringify(entry.outcome)}, the model ${JSON.stringify(outcome)}`);
    }
    this.#checkChanges(entry, name);
    this.entries.push(entry);
    this.#byPlace.set(`${entry.partition} ${seq}`, entry);
    if (operationId !== null) this.#byOperation.set(`${hqId} ${operationId}`, entry);
  }

  #checkChanges(entry: Entry, name: string): void {
    const last = new Map(
      changesOf(entry).map((change) => [`${change.after.storeId} ${change.after.productId}`, change]),
    );
    for (const [key, { line, after }] of last) {
      const level = this.model.hq(entry.hqId).levels.get(key);
      if (level?.onHand !== after.onHand || level.reserved !== after.reserved) {
        this.blame(
          'model',
          `${name} leaves ${key} at ${after.onHand}/${after.reserved}, the model at ${level?.onHand}/${level?.reserved}`,
        );
      }
      const takes = line.onHandChange < 0 || line.reservedChange > 0;
      const left = this.model.available(entry.hqId, after.storeId, after.productId);
      if (TAKING.has(entry.command.type) && takes && left < 0)
        this.blame('oversold', `${name} leaves ${left} available at ${key}`);
    }
    for (const hold of entry.holds) {
      const own = this.model.hq(entry.hqId).holds.get(hold.reservationId);
      const expected = own === undefined ? 'none' : showModelHold(own);
      if (showHold(hold) !== expected)
        this.blame('model', `${name} leaves hold ${showHold(hold)}, the model ${expected}`);
    }
  }

  /** A commit of a process that is given up arrives when its successor has taken over. */
  lateCommit(records: readonly PartitionRecord[]): void {
    this.#late = records;
  }

  /** A process opens its epoch: none before it had one as high, and nothing of an older one can be recorded. */
  opened(heads: readonly RecordedHead[], record: (records: readonly PartitionRecord[]) => RecordResult): void {
    for (const { partition, epoch, seq, hash: own } of heads) {
      const known = this.#heads.get(partition);
      if (known !== undefined && (seq !== known.seq || own !== known.hash)) {
        this.blame('chain', `partition ${partition} opens at entry ${seq}, recorded is ${known.seq}`);
      }
      const before = this.#epochs.get(partition) ?? -1;
      if (epoch <= before) this.blame('epoch', `partition ${partition} opens epoch ${epoch} after ${before}`);
      this.#epochs.set(partition, epoch);
    }
    const late = this.#late;
    this.#late = null;
    if (late === null) return;
    const result = record(late);
    if (result.status === 'recorded') this.blame('epoch', 'a commit of an older process was recorded');
  }

  readonly #epochs = new Map<number, number>();

  /** What a process answers, at the moment when it does. */
  answered(asked: Asked, execution: Execution): void {
    const { hqId, operationId, body } = asked;
    const own = operationId === null ? undefined : this.entryOf(hqId, operationId);
    const name = `${operationId} is answered ${JSON.stringify(execution).slice(0, 300)}`;
    switch (execution.status) {
      case 'recorded': {
        const { entry } = execution;
        const recorded = operationId === null ? this.#byPlace.get(`${entry.partition} ${entry.seq}`) : own;
        if (recorded === undefined) {
          this.blame('acknowledged is recorded', `${name}, which is not in the ledger`);
          return;
        }
        const same =
          recorded.seq === entry.seq &&
          recorded.epoch === entry.epoch &&
          isDeepStrictEqual(recorded.outcome, entry.outcome);
        if (!same || recorded.fingerprint !== body)
          this.blame('same answer', `${name}, the ledger has ${JSON.stringify(recorded.outcome)}`);
        return;
      }
      case 'mismatch':
        if (own === undefined || own.fingerprint === body)
          this.blame('same answer', `${name}, the ledger has ${own?.fingerprint}`);
        return;
      case 'observed':
        this.#observed(asked, execution, name, own);
        return;
      default:
        return;
    }
  }

  #observed(
    asked: Asked,
    { outcome, hold }: Extract<Execution, { status: 'observed' }>,
    name: string,
    own: Entry | undefined,
  ): void {
    if (own !== undefined && this.entries.indexOf(own) < asked.recordedBefore) {
      this.blame('same answer', `${name}, but the id was answered before`);
    }
    if (hold === null || (outcome.status !== 'released' && outcome.status !== 'confirmed')) return;
    const recorded = this.model.hq(asked.hqId).holds.get(hold.reservationId);
    if (recorded === undefined || recorded.status === 'active')
      this.blame('acknowledged is recorded', `${name}, the hold is ${recorded?.status}`);
  }

  published(events: readonly { event: StockEvent }[]): void {
    for (const { event } of events) this.#published.push(event);
  }

  /** Every event of every entry was published; first appearances are in order per key; repeats are the same. */
  checkEvents(): void {
    const expected = new Map(this.entries.flatMap((entry) => eventsOf(entry)).map((event) => [event.id, event]));
    const seen = new Set<string>();
    const last = new Map<string, string>();
    for (const event of this.#published) {
      if (!isDeepStrictEqual(event, expected.get(event.id)))
        this.blame('events', `${event.id} was published otherwise than its entry says`);
      if (seen.has(event.id)) continue;
      seen.add(event.id);
      // Two HQs may use one order id; order is promised within a partition.
      const key = `${event.id.split('_')[1]} ${event.subject}`;
      const before = last.get(key) ?? '';
      if (event.sequence <= before)
        this.blame('events', `${event.id} of ${event.subject} first appears after ${before}`);
      last.set(key, event.sequence);
    }
    for (const [id, { type }] of expected)
      if (!seen.has(id)) this.blame('events', `${id} (${type}) was never published`);
  }
}
