/**
 * An engine and the model side by side, one command after the other, everything recorded at once. What an executor
 * would ask the ledger and the projections is answered from the list of entries. Every entry is held against the
 * checker, against its own text, and against the rules run on that text.
 */
import { isDeepStrictEqual } from 'node:util';
import { EntryChecker } from '../../src/recording/entry-checker.ts';
import type { Command } from '../../src/stock/commands.ts';
import { changesOf, type Entry, type Hold } from '../../src/stock/entry.ts';
import { decodeEntry, encodeEntry } from '../../src/stock/entry-codec.ts';
import { isSystemOperationId, partitionOf } from '../../src/stock/identifiers.ts';
import { PARTITION_COUNT } from '../../src/stock/limits.ts';
import { MemoryStockEngine } from '../../src/stock/memory/memory-stock-engine.ts';
import { WINDOW_BOUNDS } from '../../src/stock/operation-memory.ts';
import type { Outcome } from '../../src/stock/outcome.ts';
import { decide } from '../../src/stock/rules.ts';
import type { CommandRequest, Decision, RecordedHead } from '../../src/stock/stock-engine.ts';
import { brokenInvariants, type Compared, differences } from './model-differences.ts';
import { type ModelRequest, StockModel } from './stock-model.ts';

const TAKING = new Set<Command['type']>(['reserve', 'issue', 'distribute', 'transfer']);

export interface EngineAnswer {
  kind: 'first' | 'again' | 'mismatch';
  outcome: Outcome | null;
}

export class EngineRun {
  readonly model = new StockModel();
  readonly clock = { nowMs: 1_700_000_000_000 };
  readonly #engine: MemoryStockEngine;
  readonly #checker = new EntryChecker();
  readonly #heads = new Map<number, RecordedHead>();
  readonly #entries = new Map<string, Entry>();
  readonly #operations = new Map<string, Entry>();
  readonly #holds = new Map<string, Hold>();

  constructor(
    bounds = WINDOW_BOUNDS,
    makeEngine = (clock: { nowMs: number }) => new MemoryStockEngine(() => clock.nowMs, bounds),
  ) {
    this.#engine = makeEngine(this.clock);
    for (let partition = 0; partition < PARTITION_COUNT; partition += 1) {
      this.#heads.set(partition, { partition, epoch: 1, seq: 0, hash: '', at: 0 });
    }
    this.#engine.open([...this.#heads.values()]);
  }

  /** Both decide; throws where they differ. */
  execute(request: ModelRequest): Outcome | null {
    const head = this.#head(request.hqId);
    const at = Math.max(this.clock.nowMs, head.at);
    const actual = this.#decide(request);
    const expected = this.model.execute(request, at, this.#head(request.hqId).seq);
    if (!isDeepStrictEqual(actual, { ...expected })) {
      throw new Error(`engine answers ${JSON.stringify(actual)}, model ${JSON.stringify(expected)}`);
    }
    return actual.outcome;
  }

  expireDue(): void {
    while (this.#engine.expireDue().holds > 0);
    this.#record();
    for (const hqId of this.model.hqs.keys()) {
      const at = Math.max(this.clock.nowMs, this.#head(hqId).at);
      const hq = this.model.hq(hqId);
      const due = [...hq.holds.values()].filter((hold) => hold.endsAt <= at).map((hold) => hold.id);
      this.model.execute(
        { hqId, operationId: null, body: null, command: { type: 'expire', reservationIds: due } },
        at,
        this.#head(hqId).seq,
      );
    }
  }

  check(over: Compared): void {
    const problems = [...brokenInvariants(this.model), ...differences(this.#engine, this.model, over)];
    if (problems.length > 0) throw new Error(problems.join('\n'));
  }

  #head(hqId: string): RecordedHead {
    return this.#heads.get(partitionOf(hqId)) as RecordedHead;
  }

  #decide(asked: ModelRequest): EngineAnswer {
    let request: CommandRequest = {
      hqId: asked.hqId,
      operationId: asked.operationId,
      fingerprint: asked.body,
      command: asked.command,
      actor: { subject: 'tests', role: 'admin' },
      origin: 'tests',
      correlationId: 'c "quoted" \u00e9',
      causationId: null,
    };
    for (let lookUps = 0; lookUps < 4; lookUps += 1) {
      const decision = this.#engine.decide(request);
      const repeats = this.#record();
      if (decision.kind === 'look-up-operation') {
        const found = this.#operations.get(`${request.hqId} ${request.operationId}`);
        if (found !== undefined) return repeated(found, asked);
        request = { ...request, lookedUpAt: this.#head(request.hqId).seq };
      } else if (decision.kind === 'look-up-hold') {
        const id = 'reservationId' in request.command ? request.command.reservationId : '';
        request = { ...request, projectedHold: this.#holds.get(`${request.hqId} ${id}`) ?? null };
      } else {
        return this.#answer(asked, decision, repeats);
      }
    }
    throw new Error('the engine asks for look-ups without end');
  }

  #answer(asked: ModelRequest, decision: Decision, repeats: Entry[]): EngineAnswer {
    switch (decision.kind) {
      case 'decided': {
        const first = repeats.length > 0 ? this.#operations.get(`${asked.hqId} ${asked.operationId}`) : undefined;
        return first === undefined ? { kind: 'first', outcome: decision.entry.outcome } : repeated(first, asked);
      }
      case 'repeated': {
        const entry = this.#entries.get(`${decision.place.partition} ${decision.place.seq}`) as Entry;
        const first = entry.duplicateOf === null ? entry : this.#entries.get(`${entry.partition} ${entry.duplicateOf}`);
        return repeated(first as Entry, asked);
      }
      case 'observed':
        return { kind: 'first', outcome: decision.outcome };
      default:
        throw new Error(`the engine answers ${JSON.stringify(decision)}`);
    }
  }

  /** Takes what was decided into the ledger; what was decided twice is taken back, as the recorder has it done. */
  #record(): Entry[] {
    const repeats: Entry[] = [];
    while (this.#engine.counts().unrecorded > 0) {
      const batches = this.#engine.nextBatches(1_000);
      if (batches instanceof Promise) throw new Error('the journal holds entries and does not hand them out');
      for (const { entries } of batches) for (const { entry } of entries) repeats.push(...this.#recordOne(entry));
    }
    for (const entry of repeats) this.#takeBack(entry);
    return repeats;
  }

  #recordOne(entry: Entry): Entry[] {
    const head = this.#heads.get(entry.partition) as RecordedHead;
    if (entry.at !== Math.max(this.clock.nowMs, head.at))
      throw new Error(`entry ${entry.seq} is decided at ${entry.at}`);
    this.#checker.check(entry, head);
    checkText(entry);
    checkTaking(entry);
    const key = `${entry.hqId} ${entry.operationId}`;
    const first = entry.operationId === null ? undefined : this.#operations.get(key);
    if (first !== undefined) {
      if (isSystemOperationId(key.slice(entry.hqId.length + 1))) throw new Error(`${key} was decided twice`);
      entry.duplicateOf = first.seq;
      entry.operationId = null;
    } else if (entry.operationId !== null) {
      this.#operations.set(key, entry);
    }
    this.#entries.set(`${entry.partition} ${entry.seq}`, entry);
    for (const hold of entry.holds) this.#holds.set(`${entry.hqId} ${hold.reservationId}`, hold);
    const next = { ...head, seq: entry.seq, at: entry.at };
    this.#heads.set(entry.partition, next);
    this.#engine.recorded(next);
    return first === undefined ? [] : [entry];
  }

  /** The model knows no second decision; only that the levels were written twice. */
  #takeBack(entry: Entry): void {
    const { hqId, command, seq, lines } = entry;
    if (lines.length === 0) return;
    if (command.type !== 'reserve' && command.type !== 'issue') throw new Error(`a ${command.type} was decided twice`);
    const taken = command.type === 'reserve' ? { reservationId: command.reservationId } : { items: command.items };
    const operationId = `undo/${entry.partition}/${seq}`;
    const undo = { hqId, operationId, body: operationId, command: { type: 'undo' as const, seq, ...taken } };
    const { outcome } = this.#decide(undo);
    if (outcome?.status !== 'done') throw new Error(`undoing entry ${seq} ended as ${JSON.stringify(outcome)}`);
    for (const { before } of changesOf(entry)) {
      const level = this.model.hq(hqId).levels.get(`${before.storeId} ${before.productId}`);
      if (level !== undefined) level.version += 2;
    }
  }
}

function repeated(first: Entry, { body }: ModelRequest): EngineAnswer {
  return first.fingerprint === body ? { kind: 'again', outcome: first.outcome } : { kind: 'mismatch', outcome: null };
}

/** An entry is read back as it was written, and decided again from its text it is the same. */
function checkText(entry: Entry): void {
  const read = decodeEntry(encodeEntry(entry));
  if (!isDeepStrictEqual(read, JSON.parse(JSON.stringify(entry)))) {
    throw new Error(`entry ${JSON.stringify(entry)} is read back as ${JSON.stringify(read)}`);
  }
  const { outcome, lines, holds } = decide(read.command, read.read, read.at);
  const again = JSON.parse(JSON.stringify({ outcome, lines, holds }));
  if (!isDeepStrictEqual(again, { outcome: read.outcome, lines: read.lines, holds: read.holds })) {
    throw new Error(`entry ${JSON.stringify(entry)} is decided again as ${JSON.stringify(again)}`);
  }
}

/** No command that takes leaves less than nothing available, and none leaves less than nothing on hand. */
function checkTaking({ command, read, lines }: Entry): void {
  for (const { line, after } of changesOf({ read, lines })) {
    const takes = line.onHandChange < 0 || line.reservedChange > 0;
    const available = after.onHand - after.reserved - after.safetyStock;
    if (after.onHand < 0 || after.reserved < 0 || (TAKING.has(command.type) && takes && available < 0)) {
      throw new Error(`${command.type} leaves ${JSON.stringify(after)}`);
    }
  }
}
