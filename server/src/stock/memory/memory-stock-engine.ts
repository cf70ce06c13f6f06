/**
 * The embedded engine: levels, holds and the operation window in this process's memory. A decision is one
 * synchronous step, so nothing can come between its check and its effect. It journals every entry and forgets
 * nothing that the ledger has not recorded; after a failed commit it is emptied and filled again.
 */
import type { CommandType } from '../commands.ts';
import { ENTRY_VERSION, type Entry, type Hold, isOpen, type Read } from '../entry.ts';
import { isSystemOperationId, partitionOf, partitionOfReservation } from '../identifiers.ts';
import { EXPIRE_BATCH_MAX, PARTITION_COUNT } from '../limits.ts';
import { WINDOW_BOUNDS, type WindowBounds } from '../operation-memory.ts';
import { isPassing, type Outcome } from '../outcome.ts';
import { holdsToRead } from '../rules/read-plan.ts';
import { decide as decideByRules, type Ruling } from '../rules.ts';
import type {
  CommandRequest,
  Decision,
  EmbeddedEngine,
  EngineCounts,
  ImageChunk,
  JournalBatch,
  LevelView,
  MaybePromise,
  Place,
  RecordedHead,
} from '../stock-engine.ts';
import { MemoryJournal } from './memory-journal.ts';
import { type HoldRecord, PartitionState } from './partition-state.ts';

/** Commands that may wait for the ledger before new ones are refused. */
export const UNRECORDED_MAX = 16_384;

/**
 * A second effect of these can be undone, so only they are decided without asking the ledger whether an id that the
 * window does not know is older than the window. A confirmation of a young hold is no exception: the id may be the
 * old one of another command. Nor is what has an id of the system: the reservation that an order's event makes is named
 * after the order, and a second one would stand in the place of the first, which may be sold.
 */
const UNDOABLE: ReadonlySet<CommandType> = new Set(['reserve', 'issue']);

const EXPIRY: Pick<CommandRequest, 'actor' | 'origin' | 'causationId' | 'operationId' | 'fingerprint'> = {
  actor: { subject: 'holdfast', role: 'system' },
  origin: 'expiry',
  causationId: null,
  operationId: null,
  fingerprint: null,
};

export class MemoryStockEngine implements EmbeddedEngine {
  readonly #now: () => number;
  readonly #bounds: WindowBounds;
  readonly #journal = new MemoryJournal();
  #partitions: PartitionState[] = [];
  #open = false;

  /** `now` gives epoch milliseconds; the engine clamps it to rise within a partition. */
  constructor(now: () => number, bounds: WindowBounds = WINDOW_BOUNDS) {
    this.#now = now;
    this.#bounds = bounds;
    this.halt();
  }

  decide(request: CommandRequest): Decision {
    if (!this.#open) return { kind: 'unavailable', reason: 'not-open' };
    const state = this.#partition(partitionOf(request.hqId));
    const repeated = this.#findRepeated(state, request);
    if (repeated !== null) return repeated;
    if (this.#journal.size >= UNRECORDED_MAX) return { kind: 'unavailable', reason: 'overloaded' };
    const at = Math.max(this.#now(), state.at);
    if (!state.makeRoom(at)) return { kind: 'unavailable', reason: 'window-full' };
    if (!isUndoable(request) && !isLookedUp(state, request)) return { kind: 'look-up-operation' };
    this.#expireNamed(state, request, at);
    const holds = this.#readHolds(state, request);
    if (holds === null) return { kind: 'look-up-hold' };
    assertNewHold(state, request);
    return this.#decideNow(state, request, holds, at);
  }

  #findRepeated(state: PartitionState, { hqId, operationId }: CommandRequest): Decision | null {
    if (operationId === null) return null;
    const known = state.operations.find(hqId, operationId);
    if (known === undefined) return null;
    return { kind: 'repeated', place: known.place };
  }

  #decideNow(state: PartitionState, request: CommandRequest, holds: Hold[], at: number): Decision {
    const hq = state.hqs.get(request.hqId) ?? state.hq(request.hqId);
    const read = hq.read(request.command, holds);
    const ruling = decideByRules(request.command, read, at);
    // A refusal that leaves no trace must not hide the first answer under this id.
    if (isPassing(ruling.outcome) && !isLookedUp(state, request)) return { kind: 'look-up-operation' };
    if (isPassing(ruling.outcome) || (request.operationId === null && isWithoutEffect(request, ruling))) {
      return this.#observed(state, ruling.outcome, holds[0] ?? null);
    }
    const entry = this.#append(state, request, read, ruling, at);
    return { kind: 'decided', entry, place: state.head };
  }

  #observed(state: PartitionState, outcome: Outcome, hold: Hold | null): Decision {
    return { kind: 'observed', outcome, hold, head: state.head };
  }

  #append(state: PartitionState, request: CommandRequest, read: Read, ruling: Ruling, at: number): Entry {
    const entry: Entry = {
      version: ENTRY_VERSION,
      partition: state.partition,
      epoch: state.epoch,
      seq: state.seq + 1,
      at,
      hqId: request.hqId,
      operationId: request.operationId,
      fingerprint: request.fingerprint,
      duplicateOf: null,
      actor: request.actor,
      origin: request.origin,
      correlationId: request.correlationId,
      causationId: request.causationId,
      command: request.command,
      read,
      outcome: ruling.outcome,
      lines: ruling.lines,
      holds: ruling.holds,
    };
    state.apply(entry);
    this.#journal.append(entry, state.head.mark);
    return entry;
  }

  /** A confirm or an extend of a hold that is due expires it first, in the same step. */
  #expireNamed(state: PartitionState, { command, hqId, correlationId }: CommandRequest, at: number): void {
    if (command.type !== 'confirm' && command.type !== 'extend') return;
    const record = state.holds.get(command.reservationId);
    if (record === undefined || record.hqId !== hqId || !isOpen(record.hold) || record.hold.expiresAt > at) return;
    this.#expire(state, hqId, [record.hold], at, correlationId);
  }

  #expire(state: PartitionState, hqId: string, holds: Hold[], at: number, correlationId: string): void {
    const command = { type: 'expire' as const, reservationIds: holds.map((hold) => hold.reservationId) };
    const read = state.hq(hqId).read(command, holds);
    const ruling = decideByRules(command, read, at);
    this.#append(state, { ...EXPIRY, hqId, command, correlationId }, read, ruling, at);
  }

  /** The holds that the command names, those of its HQ; null: the projection must be asked first. */
  #readHolds(state: PartitionState, request: CommandRequest): Hold[] | null {
    const ids = holdsToRead(request.command);
    if (ids.length === 0) return [];
    const holds: Hold[] = [];
    for (const id of ids) {
      const record = state.holds.get(id);
      if (record !== undefined) {
        if (record.hqId === request.hqId) holds.push(record.hold);
      } else if (request.projectedHold === undefined) {
        if (partitionOfReservation(id) === state.partition) return null;
      } else if (request.projectedHold !== null) {
        holds.push(request.projectedHold);
      }
    }
    return holds;
  }

  expireDue(): { holds: number; latestMs: number } {
    let closed = 0;
    let latestMs = 0;
    if (!this.#open) return { holds: 0, latestMs };
    for (const state of this.#partitions) {
      const at = Math.max(this.#now(), state.at);
      for (const [hqId, holds] of this.#takeDue(state, at)) {
        latestMs = Math.max(latestMs, at - (holds[0] as Hold).expiresAt);
        this.#expire(state, hqId, holds, at, `expiry-${state.partition}-${state.seq + 1}`);
        closed += holds.length;
      }
    }
    return { holds: closed, latestMs };
  }

  /** Up to `EXPIRE_BATCH_MAX` open, due holds, by HQ. */
  #takeDue(state: PartitionState, at: number): Map<string, Hold[]> {
    const byHq = new Map<string, Hold[]>();
    let taken = 0;
    while (taken < EXPIRE_BATCH_MAX && this.#journal.size < UNRECORDED_MAX) {
      const due = state.due.take(at);
      if (due === undefined) break;
      const record = state.holds.get(due.reservationId);
      if (record === undefined || !isOpen(record.hold)) continue;
      if (record.hold.expiresAt > at) {
        state.due.add({ ...due, dueAt: record.hold.expiresAt });
        continue;
      }
      const holds = byHq.get(due.hqId) ?? [];
      if (holds.includes(record.hold)) continue;
      holds.push(record.hold);
      byHq.set(due.hqId, holds);
      taken += 1;
    }
    return byHq;
  }

  levels(hqId: string, keys: readonly { storeId: string; productId: string }[]): (LevelView | null)[] {
    const hq = this.#partition(partitionOf(hqId)).hqs.get(hqId);
    return keys.map((key) => hq?.levelView(key) ?? null);
  }

  totals(hqId: string, productId: string) {
    const hq = this.#partition(partitionOf(hqId)).hqs.get(hqId);
    const product = hq?.products.get(productId);
    if (hq === undefined || product === undefined) return null;
    return { ...hq.readTotals(productId), updatedAt: product.updatedAt };
  }

  hold(reservationId: string): (HoldRecord & { head: Place }) | null {
    const partition = partitionOfReservation(reservationId);
    if (partition === null) return null;
    const state = this.#partition(partition);
    const record = state.holds.get(reservationId);
    return record === undefined ? null : { ...record, head: state.head };
  }

  head(hqId: string): Place {
    return this.#of(hqId).head;
  }

  counts(): EngineCounts {
    const counts: EngineCounts = {
      levels: 0,
      openHolds: 0,
      rememberedOperations: 0,
      unrecorded: this.#journal.size,
      openPartitions: this.#open ? PARTITION_COUNT : 0,
    };
    for (const state of this.#partitions) {
      counts.levels += state.levels;
      counts.openHolds += state.openHolds;
      counts.rememberedOperations += state.operations.size;
    }
    return counts;
  }

  nextBatches(limit: number): MaybePromise<JournalBatch[]> {
    return this.#journal.next(limit);
  }

  recorded(head: RecordedHead): void {
    this.#partition(head.partition).recordedSeq = head.seq;
    this.#journal.trim(head);
  }

  halt(): void {
    this.#open = false;
    this.#journal.clear();
    this.#partitions = Array.from(
      { length: PARTITION_COUNT },
      (_, partition) => new PartitionState(partition, this.#bounds),
    );
  }

  load(chunk: ImageChunk): void {
    switch (chunk.kind) {
      case 'cursors':
        for (const row of chunk.rows) this.#partition(row.partition).startAt(row);
        return;
      case 'window':
        this.#partition(chunk.partition).startWindow(chunk.afterSeq);
        return;
      case 'stores':
        for (const row of chunk.rows) this.#of(row.hqId).hq(row.hqId).configureStore(row.storeId, row.settings);
        return;
      case 'products':
        for (const row of chunk.rows) this.#of(row.hqId).hq(row.hqId).product(row.productId).settings = row.settings;
        return;
      case 'levels':
        for (const row of chunk.rows) this.#of(row.hqId).loadLevel(row);
        return;
      case 'holds':
        for (const row of chunk.rows)
          this.#of(row.hqId).putHold(row.hqId, row.hold, { at: row.closedAt ?? row.hold.createdAt, seq: 0 });
        return;
      case 'operations':
        for (const row of chunk.rows) this.#partition(row.partition).loadOperation(row);
        return;
    }
  }

  replay(entry: Entry): void {
    this.#partition(entry.partition).apply(entry);
  }

  open(heads: readonly RecordedHead[]): void {
    for (const head of heads) {
      const state = this.#partition(head.partition);
      if (state.seq !== head.seq)
        throw new Error(`partition ${head.partition} was filled up to entry ${state.seq}, its head is at ${head.seq}`);
      state.epoch = head.epoch;
      state.recordedSeq = head.seq;
      state.at = Math.max(state.at, head.at);
      this.#journal.open(head);
    }
    this.#open = true;
  }

  async close(): Promise<void> {
    this.#open = false;
    this.#journal.close();
  }

  #of(hqId: string): PartitionState {
    return this.#partition(partitionOf(hqId));
  }

  #partition(partition: number): PartitionState {
    const state = this.#partitions[partition];
    if (state === undefined) throw new Error(`there is no partition ${partition}`);
    return state;
  }
}

function isUndoable({ command, operationId }: CommandRequest): boolean {
  return UNDOABLE.has(command.type) && !(operationId !== null && isSystemOperationId(operationId));
}

/** A reservation never takes the place of another one. */
function assertNewHold(state: PartitionState, { command }: CommandRequest): void {
  if (command.type !== 'reserve' || !state.holds.has(command.reservationId)) return;
  throw new Error(`a reserve names a reservation that is there already (${command.reservationId}): nothing was done`);
}

/** The operation id is new for certain: the window reaches back to where the ledger was asked, or to the beginning. */
function isLookedUp(state: PartitionState, { operationId, lookedUpAt = 0 }: CommandRequest): boolean {
  return operationId === null || lookedUpAt >= state.operations.floorSeq;
}

/** Without an operation id, what changes nothing needs no entry: a repeated release, a refused one. */
function isWithoutEffect(request: CommandRequest, ruling: Ruling): boolean {
  return ruling.holds.length === 0 && ruling.lines.length === 0 && !request.command.type.startsWith('configure-');
}
