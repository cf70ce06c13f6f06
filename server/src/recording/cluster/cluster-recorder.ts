/**
 * Journal → ledger, for an engine that other processes decide in (`recording.md`, rules 8 to 17). Any number of these
 * run at once, each for the partitions that it owns. Each entry is read with the head that it follows, checked against
 * what was recorded last and against the rules, committed with those of many partitions in one transaction, and only
 * then announced. What fails costs a partition its turn, never an entry: the engine's journal keeps what the ledger has
 * not.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { LedgerConflict } from '../../ledger/ledger.ts';
import type { Evidence } from '../../ledger/shared-ledger.ts';
import { encodeEntry } from '../../stock/entry-codec.ts';
import type { JournalReading, SharedHead } from '../../stock/shared-engine.ts';
import type { JournalBatch } from '../../stock/stock-engine.ts';
import { type EntryRejected, EntryVersionUnknown } from '../entry-checker.ts';
import { checkBatch, readableEntries } from './check-batch.ts';
import { isBehind } from './cluster-acknowledgements.ts';
import type { ClusterRecorderParts } from './cluster-recorder-parts.ts';
import { announcementOf, CommitQueue, type Gathered } from './commit-queue.ts';
import { OwnedPartition } from './owned-partition.ts';
import { PartitionRebuild, RebuildPauses, type Rebuilt } from './partition-rebuild.ts';
import type { WaitingPartition } from './partition-states.ts';
import type { ProjectedKeys, ProjectedRows } from './projected-rows.ts';
import type { ProjectedStock } from './projected-stock.ts';
import { Recollection } from './recollection.ts';

/** How often ownership is renewed, and the ledger's heads are held against those known: a lease is several times this. */
const RENEW_MS = 500;
/** How long a read of the journal may wait for something to come. */
const READ_WAIT_MS = 250;
/** After a failed read, or with nothing to read. */
const PAUSE_MS = 100;
/** How often an entry of an unknown version is looked at again. */
const VERSION_RETRY_MS = 1_000;

export class ClusterRecorder {
  readonly #parts: ClusterRecorderParts;
  readonly #owned = new Map<number, OwnedPartition>();
  readonly #queue: CommitQueue;
  readonly #rebuild: PartitionRebuild;
  readonly #recollection: Recollection;
  readonly #pauses = new RebuildPauses();
  /** What runs beside the loop. */
  readonly #tasks = new Set<Promise<void>>();
  #stopped = false;
  #running: Promise<unknown> | null = null;
  #renewing: Promise<void> | null = null;

  constructor(parts: ClusterRecorderParts) {
    this.#parts = parts;
    this.#rebuild = new PartitionRebuild(parts);
    this.#recollection = new Recollection(parts.ledger, parts.projected);
    this.#queue = new CommitQueue(parts.ledger, {
      recorded: (batches, durationMs) => this.#recorded(batches, durationMs),
      overtaken: (partitions) => this.#overtaken(partitions),
      trouble: parts.events.trouble,
    });
  }

  start(): void {
    this.#running = Promise.all([this.#read(), this.#keepOwnership()]);
  }

  /** Records what was read, and leaves the rest to others. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#queue.stop();
    await this.#running;
    await Promise.all(this.#tasks);
    await this.#queue.drained();
    this.#owned.clear();
    await this.#parts.ownership.leave().catch(this.#parts.events.trouble);
  }

  /** The partitions that are recorded here now. */
  get open(): number[] {
    return this.#inPhase('open').map(({ partition }) => partition);
  }

  #inPhase(phase: OwnedPartition['phase']): OwnedPartition[] {
    return [...this.#owned.values()].filter((owned) => owned.phase === phase);
  }

  #isOwned(owned: OwnedPartition): boolean {
    return this.#owned.get(owned.partition) === owned;
  }

  /** Runs beside the loop, so that one partition's trouble holds up no other. */
  #beside(work: Promise<void>): void {
    const task = work.catch(this.#parts.events.trouble).finally(() => this.#tasks.delete(task));
    this.#tasks.add(task);
  }

  async #pause(ms: number): Promise<void> {
    for (let left = ms; left > 0 && !this.#stopped; left -= PAUSE_MS) await delay(Math.min(left, PAUSE_MS));
  }

  async #keepOwnership(): Promise<void> {
    while (!this.#stopped) {
      await this.#renew();
      await this.#pause(RENEW_MS);
    }
  }

  /** One at a time; what fails is tried again soon. */
  #renew(): Promise<void> {
    this.#renewing ??= this.#renewOwnership()
      .catch(this.#parts.events.trouble)
      .finally(() => {
        this.#renewing = null;
      });
    return this.#renewing;
  }

  async #renewOwnership(): Promise<void> {
    const { ownership, states } = this.#parts;
    const partitions = new Set(await ownership.renew());
    for (const partition of [...this.#owned.keys()]) if (!partitions.has(partition)) this.#drop(partition);
    const taken = [...partitions].filter((partition) => !this.#owned.has(partition));
    const added = taken.map((partition) => new OwnedPartition(partition));
    for (const owned of added) this.#owned.set(owned.partition, owned);
    const waiting = await states.waiting();
    this.#heedOperator(waiting);
    const untouched = this.#inPhase('taken').filter((owned) => added.includes(owned));
    if (untouched.length > 0) this.#beside(this.#adopt(untouched));
    await this.#compareHeads();
    await this.#followProjections();
  }

  /** Somebody else records it: what was read and checked here is not announced. */
  #drop(partition: number): void {
    this.#owned.get(partition)?.invalidate('waiting');
    this.#owned.delete(partition);
  }

  #heedOperator(waiting: readonly WaitingPartition[]): void {
    for (const row of waiting) {
      const owned = this.#owned.get(row.partition);
      if (owned === undefined || owned.phase === 'quarantined') continue;
      if (row.resumed) this.#resume(owned, row);
      else if (!owned.waitsForOperator) this.#wait(owned, row.reason);
    }
    const named = new Set(waiting.map(({ partition }) => partition));
    const released = this.#inPhase('waiting').filter((owned) => owned.waitsForOperator && !named.has(owned.partition));
    this.#again(released);
  }

  #wait(owned: OwnedPartition, reason: string): void {
    owned.invalidate('waiting');
    owned.waitsForOperator = true;
    this.#parts.events.waiting(owned.partition, reason);
  }

  /** What fails is begun again as long as the operator's word stands. */
  #resume(owned: OwnedPartition, row: WaitingPartition): void {
    owned.invalidate('quarantined');
    this.#beside(
      this.#rebuild.resume(row).then(
        (rebuilt) => this.#settle([owned], rebuilt),
        (error: Error) => {
          this.#parts.events.trouble(error);
          this.#again([owned]);
        },
      ),
    );
  }

  /** The ledger's cursors never fall behind what this process has recorded. */
  async #compareHeads(): Promise<void> {
    const seen = this.#inPhase('open').flatMap((owned) => (owned.head === null ? [] : [{ owned, head: owned.head }]));
    if (seen.length === 0) return;
    const heads = await this.#parts.ledger.headsOf(seen.map(({ head }) => head.partition));
    for (const { owned, head } of seen) {
      const now = heads.find(({ partition }) => partition === head.partition);
      if (now !== undefined && isBehind(now, head) && this.#isOwned(owned)) {
        await this.#wentBack(owned, now, head, 'this recorder has recorded');
      }
    }
  }

  /** What the projections have reached may be forgotten. */
  async #followProjections(): Promise<void> {
    const large = this.#inPhase('open').filter(({ stock }) => stock.isLarge);
    if (large.length === 0) return;
    const projected = await this.#recollection.projected(large.map(({ partition }) => partition));
    for (const { partition, stock } of large) stock.projectedUpTo(projected.get(partition) ?? 0);
    const full = large.filter(({ stock }) => stock.isFull).map(({ partition }) => partition);
    if (full.length > 0)
      throw new Error(`the projections of partition ${full.join(', ')} stand still; recording waits for them`);
  }

  async #wentBack(
    owned: OwnedPartition,
    head: SharedHead,
    seen: Pick<SharedHead, 'epoch' | 'seq'>,
    who: string,
  ): Promise<void> {
    const { partition } = owned;
    const waits = await this.#rebuild.wentBack(head, { partition, epoch: seen.epoch, seq: seen.seq }, who);
    if (waits?.status === 'waiting') this.#wait(owned, waits.reason);
    else this.#quarantine([owned], 'an operator has accepted the ledger as it is');
  }

  /** Begins at the ledger's head, with all that was recorded since the projections' cursor in memory. */
  async #adopt(partitions: readonly OwnedPartition[]): Promise<void> {
    const { ledger, events } = this.#parts;
    const numbers = partitions.map(({ partition }) => partition);
    const generations = new Map(partitions.map((owned) => [owned, owned.generation]));
    const isCurrent = (owned: OwnedPartition) =>
      this.#isOwned(owned) && owned.phase === 'taken' && owned.generation === generations.get(owned);
    try {
      // In this order: whatever was projected was recorded before, so a head behind it went back.
      const projected = await this.#recollection.projected(numbers);
      const heads = await ledger.headsOf(numbers);
      const byPartition = new Map(heads.map((head) => [head.partition, head]));
      const warm = await Promise.all(
        partitions.filter(isCurrent).map(async (owned) => {
          const head = byPartition.get(owned.partition);
          if (head === undefined) throw new Error(`the ledger has no cursor of partition ${owned.partition}`);
          return (await this.#warm(owned, head, projected.get(owned.partition) ?? 0)) ? [{ owned, head }] : [];
        }),
      );
      for (const { owned, head } of warm.flat()) {
        if (!isCurrent(owned)) continue;
        owned.adopt(head);
        owned.pause('open');
      }
      await this.#repeatUndos(numbers);
    } catch (error) {
      events.trouble(error as Error);
      await this.#pause(PAUSE_MS);
      const again = partitions.filter(isCurrent);
      if (again.length > 0 && !this.#stopped) this.#beside(this.#adopt(again));
    }
  }

  /** False: more was seen of the ledger than it holds. */
  async #warm(owned: OwnedPartition, head: SharedHead, projected: number): Promise<boolean> {
    const isKnown = owned.head === null || !isBehind(head, owned.head);
    if (isKnown && projected <= head.seq) {
      await this.#recollection.recallSince(projected, head, owned.stock);
      return true;
    }
    if (!isKnown) await this.#wentBack(owned, head, owned.head as SharedHead, 'this recorder has recorded');
    else await this.#wentBack(owned, head, { epoch: head.epoch, seq: projected }, 'the projections have seen');
    return false;
  }

  async #repeatUndos(partitions: readonly number[]): Promise<void> {
    const mine = new Set(partitions);
    const pending = await this.#parts.ledger.pendingUndos();
    for (const entry of pending) if (mine.has(entry.partition)) this.#parts.events.duplicated(entry);
  }

  async #read(): Promise<void> {
    while (!this.#stopped) {
      await this.#queue.roomMade();
      const open = this.#inPhase('open').filter(({ stock }) => !stock.isFull);
      if (open.length === 0) {
        await delay(PAUSE_MS);
        continue;
      }
      try {
        await this.#readOnce(open);
      } catch (error) {
        this.#parts.events.trouble(error as Error);
        await delay(PAUSE_MS);
      }
    }
  }

  async #readOnce(open: readonly OwnedPartition[]): Promise<void> {
    const generations = new Map(open.map((owned) => [owned, owned.generation]));
    const readings = await this.#parts.journal.read(
      open.map(({ position }) => position),
      this.#queue.room,
      READ_WAIT_MS,
    );
    const current = (partition: number): OwnedPartition | null => {
      const owned = this.#owned.get(partition);
      return owned?.phase === 'open' && generations.get(owned) === owned.generation ? owned : null;
    };
    const batches = readings.flatMap((reading) => {
      if (reading.kind !== 'entries') return [];
      const owned = current(reading.batch.partition);
      return owned === null || reading.batch.entries.length === 0 ? [] : [{ owned, batch: reading.batch }];
    });
    const reads = batches.map(({ owned, batch }) => ({ owned, stock: owned.stock, entries: readableEntries(batch) }));
    for (const { reading, keys, rows } of await this.#recollection.missing(reads)) this.#learn(reading, keys, rows);
    for (const { owned, batch } of batches) if (current(owned.partition) !== null) this.#check(owned, batch);
    this.#heedEngine(
      readings.flatMap((reading) => {
        if (reading.kind === 'entries') return [];
        const owned = current(reading.partition);
        return owned === null ? [] : [{ owned, reading }];
      }),
    );
  }

  #learn(
    { owned, stock }: { owned: OwnedPartition; stock: ProjectedStock },
    keys: ProjectedKeys,
    rows: ProjectedRows,
  ): void {
    try {
      if (rows.seq > owned.position.seq)
        throw new Error(`partition ${owned.partition}: entry ${rows.seq} is recorded already, by somebody else`);
      stock.learn(keys, rows);
    } catch (error) {
      this.#parts.events.trouble(error as Error);
      if (owned.stock === stock) this.#again([owned]);
    }
  }

  /** Entries up to the first that is wrong go on their way; that one costs the partition its engine. */
  #check(owned: OwnedPartition, batch: JournalBatch): void {
    const { entries, rows, failure } = checkBatch(owned, batch);
    this.#queue.add(owned, entries, rows);
    if (failure instanceof EntryVersionUnknown) this.#waitForUpgrade(owned, failure.message);
    else if (failure !== null) this.#refuse(owned, failure, batch);
  }

  #waitForUpgrade(owned: OwnedPartition, reason: string): void {
    const { generation } = owned;
    owned.pause('waiting');
    this.#parts.events.waiting(owned.partition, reason);
    this.#beside(
      this.#pause(VERSION_RETRY_MS).then(() => {
        if (owned.generation === generation) owned.pause('open');
      }),
    );
  }

  #refuse(owned: OwnedPartition, { entry, message }: EntryRejected, batch: JournalBatch): void {
    owned.pause('quarantined');
    const refused = batch.entries.filter((each) => each.entry.seq >= entry.seq).map((each) => encodeEntry(each.entry));
    const { partition, epoch, seq } = entry;
    const evidence = { partition, epoch, seq, at: this.#parts.now(), reason: message, bodies: refused };
    this.#beside(this.#keepEvidence(owned, evidence));
  }

  async #keepEvidence(owned: OwnedPartition, evidence: Evidence): Promise<void> {
    await this.#queue.drained();
    if (!this.#isOwned(owned) || owned.phase !== 'quarantined') return;
    try {
      const waits = await this.#rebuild.keepEvidence(evidence, seenOf(owned));
      if (waits === 'overtaken') this.#again([owned]);
      else if (waits?.status === 'waiting') this.#wait(owned, waits.reason);
      else this.#quarantine([owned], evidence.reason);
    } catch (error) {
      this.#parts.events.trouble(error as Error);
      this.#again([owned]);
    }
  }

  /** Partitions whose engine does not continue the recorded head. */
  #heedEngine(
    found: readonly { owned: OwnedPartition; reading: Exclude<JournalReading, { kind: 'entries' }> }[],
  ): void {
    const lost = found.filter(({ reading }) => reading.kind === 'lost');
    if (lost.length > 0) {
      const reasons = lost.map(({ reading }) => (reading.kind === 'lost' ? reading.reason : ''));
      this.#quarantine(
        lost.map(({ owned }) => owned),
        [...new Set(reasons)].slice(0, 3).join('; '),
      );
    }
    for (const { owned, reading } of found) {
      if (reading.kind === 'ahead') this.#heedAhead(owned, reading);
      if (reading.kind === 'unreadable') this.#waitForUpgrade(owned, reading.reason);
    }
  }

  /** Either somebody else records here by now, or the ledger went back. */
  #heedAhead(owned: OwnedPartition, { epoch, seq }: Extract<JournalReading, { kind: 'ahead' }>): void {
    owned.pause('taken');
    this.#beside(
      this.#queue.drained().then(async () => {
        if (!this.#isOwned(owned) || owned.phase !== 'taken') return;
        owned.invalidate('taken');
        const [head] = await this.#parts.ledger.headsOf([owned.partition]).catch(() => []);
        if (head !== undefined && isBehind(head, { epoch, seq }))
          await this.#wentBack(owned, head, { epoch, seq }, 'the engine was told as recorded of');
        else await this.#adopt([owned]);
      }),
    );
  }

  #quarantine(partitions: readonly OwnedPartition[], reason: string): void {
    for (const owned of partitions) owned.pause('quarantined');
    this.#parts.events.quarantined(
      partitions.map(({ partition }) => partition),
      reason,
    );
    this.#beside(this.#fillUntilOpen(partitions));
  }

  /** What was read and checked is recorded first; then the engine is filled, as often as it takes. */
  async #fillUntilOpen(all: readonly OwnedPartition[]): Promise<void> {
    for (;;) {
      await this.#queue.drained();
      const partitions = all.filter((owned) => this.#isOwned(owned) && owned.phase === 'quarantined');
      if (partitions.length === 0 || this.#stopped) return;
      for (const owned of partitions) owned.invalidate('quarantined');
      await this.#pause(this.#pauses.before(partitions.map(({ partition }) => partition)));
      if (this.#stopped || !partitions.every((owned) => this.#isOwned(owned))) continue;
      try {
        return this.#settle(partitions, await this.#rebuild.rebuild(partitions.map(seenOf)));
      } catch (error) {
        if (error instanceof LedgerConflict) return this.#again(partitions);
        this.#parts.events.trouble(error as Error);
      }
    }
  }

  #settle(partitions: readonly OwnedPartition[], rebuilt: Rebuilt): void {
    if (rebuilt.status === 'opened') this.#filled(partitions, rebuilt.heads);
    else this.#waitFilling(partitions, rebuilt);
  }

  /** From the beginning: the ledger's head is read, and what is wrong with the engine is found again. */
  #again(partitions: readonly OwnedPartition[]): void {
    const mine = partitions.filter((owned) => this.#isOwned(owned));
    for (const owned of mine) owned.invalidate('taken');
    if (mine.length > 0 && !this.#stopped) this.#beside(this.#adopt(mine));
  }

  #waitFilling(partitions: readonly OwnedPartition[], waiting: Extract<Rebuilt, { status: 'waiting' }>): void {
    const one = partitions.find(({ partition }) => partition === waiting.partition);
    if (one !== undefined) this.#wait(one, waiting.reason);
    this.#again(partitions.filter((owned) => owned !== one));
  }

  #filled(partitions: readonly OwnedPartition[], heads: readonly SharedHead[]): void {
    this.#parts.channel.announce(
      heads.map(({ partition, epoch, seq, mark }) => ({
        partition,
        epoch,
        firstSeq: seq,
        marks: [mark],
        duplicates: [],
        opened: true,
      })),
    );
    this.#parts.events.opened(heads);
    for (const head of heads) partitions.find(({ partition }) => partition === head.partition)?.adopt(head);
    this.#again(partitions);
  }

  #recorded(batches: readonly { gathered: Gathered; head: SharedHead }[], durationMs: number): void {
    const { channel, journal, events } = this.#parts;
    // Before its callers are told: what they decide next finds the journal empty, and wakes whoever reads it.
    void journal.recorded(batches.map(({ head }) => head)).catch(events.trouble);
    channel.announce(batches.map(({ gathered }) => announcementOf(gathered)));
    let count = 0;
    for (const { gathered, head } of batches) {
      count += gathered.entries.length;
      events.recorded(head, gathered.entries);
      for (const entry of gathered.entries) if (entry.duplicateOf !== null) events.duplicated(entry);
    }
    events.committed({ entries: count, durationMs });
  }

  /** What was read and checked of these is void: they begin anew, if they are ours still. */
  #overtaken(partitions: readonly OwnedPartition[]): void {
    for (const owned of partitions) owned.invalidate(owned.phase === 'open' ? 'taken' : owned.phase);
    this.#beside(this.#rereadOwners(partitions.filter(({ phase }) => phase === 'taken')));
  }

  async #rereadOwners(partitions: readonly OwnedPartition[]): Promise<void> {
    await this.#renew();
    const mine = partitions.filter((owned) => this.#isOwned(owned) && owned.phase === 'taken');
    if (mine.length > 0) await this.#adopt(mine);
  }
}

function seenOf({ partition, head }: OwnedPartition): { partition: number; epoch: number; seq: number } {
  return { partition, epoch: head?.epoch ?? 0, seq: head?.seq ?? 0 };
}
