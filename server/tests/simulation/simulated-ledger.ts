/**
 * The real statements of the SQLite ledger, called in this thread with the delays and faults of the simulation. What
 * is committed is shown to the judge at that moment, whether or not anybody is told.
 */
import type {
  FoundOperation,
  Ledger,
  LedgerIdentity,
  PartitionRecord,
  RecordResult,
  StoredEntry,
} from '../../src/ledger/ledger.ts';
import type { SqliteLedgerStore } from '../../src/ledger/sqlite/sqlite-ledger-store.ts';
import type { Entry } from '../../src/stock/entry.ts';
import type { ImageOperation, RecordedHead } from '../../src/stock/stock-engine.ts';
import type { World } from './world.ts';

/** What a process is to its parts: something that may be gone. */
export interface Life {
  dead: boolean;
  crash(reason: string): void;
}

const SLOW_MS = 15_000;
const BEHIND: RecordResult = { status: 'rolled-back', reason: 'simulated: behind a batch that was not recorded' };
const UNKNOWN: RecordResult = { status: 'unknown', reason: 'simulated I/O error' };

export class SimulatedLedger implements Ledger {
  readonly #world: World;
  readonly #store: SqliteLedgerStore;
  readonly #life: Life;
  readonly recordsAhead = true;
  /** End the waits of a recorder whose process is gone. */
  readonly #abandoned = new Set<() => void>();
  /** Ends when the store has had every batch that was sent, whether or not anybody was told. */
  #before: Promise<unknown> = Promise.resolve();
  /** The store does not hear of the faults that come before it. */
  #lastFailed = false;

  constructor(world: World, store: SqliteLedgerStore, life: Life) {
    this.#world = world;
    this.#store = store;
    this.#life = life;
  }

  abandon(): void {
    for (const abandon of this.#abandoned) abandon();
    this.#abandoned.clear();
  }

  /** As the thread that writes: one batch after the other, in the order in which they were sent. */
  record(records: readonly PartitionRecord[], ahead = false): Promise<RecordResult> {
    return new Promise((resolve) => {
      const abandon = () => resolve(UNKNOWN);
      this.#abandoned.add(abandon);
      this.#before = this.#before
        .then(() => this.#timed(records, ahead))
        .then((result) => {
          this.#world.scheduler.after(this.#world.random.between(0, 3), () => {
            this.#abandoned.delete(abandon);
            if (!this.#life.dead && result !== null) resolve(result);
          });
        });
    });
  }

  #timed(records: readonly PartitionRecord[], ahead: boolean): Promise<RecordResult | null> {
    const { scheduler, random, plan } = this.#world;
    const slow = this.#world.strikes('commit-slow') !== null ? SLOW_MS : 0;
    return new Promise((resolve) => {
      scheduler.after(random.between(0, plan.commitMs) + slow, () => {
        if (this.#life.dead) return;
        const result = ahead && this.#lastFailed ? BEHIND : this.#commit(records, ahead);
        this.#lastFailed = result?.status !== 'recorded';
        resolve(result);
      });
    });
  }

  /** Null: the process is gone. */
  #commit(records: readonly PartitionRecord[], ahead: boolean): RecordResult | null {
    const fault = this.#world.strikes(
      'commit-full',
      'commit-lost',
      'commit-kept',
      'crash-before-commit',
      'crash-after-commit',
      'crash-commit-arrives-late',
    );
    switch (fault) {
      case 'commit-full':
        return { status: 'rolled-back', reason: 'simulated full disk' };
      case 'commit-lost':
        return UNKNOWN;
      case 'commit-kept':
        this.#recordNow(records, ahead);
        return UNKNOWN;
      case 'crash-before-commit':
        return this.#crash(fault);
      case 'crash-after-commit':
        this.#recordNow(records, ahead);
        return this.#crash(fault);
      case 'crash-commit-arrives-late':
        if (!ahead) this.#world.judge.lateCommit(records);
        return this.#crash(fault);
      default:
        return this.#recordNow(records, ahead);
    }
  }

  #crash(reason: string): null {
    this.#life.crash(reason);
    return null;
  }

  #recordNow(records: readonly PartitionRecord[], ahead: boolean): RecordResult {
    const result = this.#store.record(records, ahead);
    if (result.status === 'recorded') this.#world.judge.committed(records, result.heads);
    return result;
  }

  async identity(): Promise<LedgerIdentity> {
    return this.#store.identity();
  }

  async heads(): Promise<RecordedHead[]> {
    return this.#store.heads();
  }

  async openEpoch(heads: readonly RecordedHead[]): Promise<RecordedHead[]> {
    if (this.#world.strikes('epoch-fails') !== null) throw new Error('simulated full disk');
    const opened = this.#store.openEpoch(heads);
    this.#world.judge.opened(opened, (records) => this.#store.record(records));
    return opened;
  }

  async entries(partition: number, afterSeq: number, limit: number): Promise<StoredEntry[]> {
    return this.#store.entries(partition, afterSeq, limit);
  }

  async entry(partition: number, seq: number): Promise<Entry | null> {
    const [stored] = await this.#later(() => this.#store.entries(partition, seq - 1, 1));
    return stored?.seq === seq ? this.#world.parts.decodeEntry(stored.body) : null;
  }

  findOperations(hqId: string, operationIds: readonly string[]): Promise<FoundOperation[]> {
    return this.#later(() => this.#store.findOperations(hqId, operationIds));
  }

  async pendingUndos(): Promise<Entry[]> {
    return this.#store.pendingUndos().map(({ body }) => this.#world.parts.decodeEntry(body));
  }

  async seqBefore(partition: number, instantMs: number): Promise<number> {
    return this.#store.seqBefore(partition, instantMs);
  }

  async operations(partition: number, afterSeq: number, limit: number): Promise<ImageOperation[]> {
    return this.#store.operations(partition, afterSeq, limit);
  }

  async close(): Promise<void> {}

  /** A read takes its time, and sees what is committed when it is done. */
  #later<T>(read: () => T): Promise<T> {
    const { scheduler, random } = this.#world;
    return new Promise((resolve) => {
      scheduler.after(random.between(0, 4), () => {
        if (!this.#life.dead) resolve(read());
      });
    });
  }
}
