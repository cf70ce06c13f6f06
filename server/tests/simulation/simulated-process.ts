/** One life of a server process, wired as `compose.ts` does it, from its start to its crash. */
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { RecorderEvents } from '../../src/recording/recorder.ts';
import type { CommandRequest, RecordedHead } from '../../src/stock/stock-engine.ts';
import type { Parts } from './parts.ts';
import { type Life, SimulatedLedger } from './simulated-ledger.ts';
import type { World } from './world.ts';

const RELOAD_RETRY_MS = 1_000;
const SWEEP_MS = 100;

type Instance<Name extends keyof Parts> = Parts[Name] extends abstract new (...args: never[]) => infer T ? T : never;

export class SimulatedProcess implements Life {
  dead = false;
  readonly #world: World;
  readonly #onCrash: (reason: string) => void;
  readonly #databases: DatabaseSync[] = [];
  #ledger: SimulatedLedger | null = null;
  #store: Instance<'SqliteLedgerStore'> | null = null;
  #engine: Instance<'MemoryStockEngine'> | null = null;
  #executor: Instance<'CommandExecutor'> | null = null;
  #acknowledgements: Instance<'Acknowledgements'> | null = null;
  #projector: Instance<'Projector'> | null = null;
  #history: Instance<'HistoryReader'> | null = null;
  #relay: Instance<'Relay'> | null = null;
  #index: Instance<'OperationIndex'> | null = null;
  /** Entries that were recorded when all were projected. */
  #projectedOf = -1;
  /** The projector's transaction is torn off after so many reads. */
  #tearAfterReads: number | null = null;

  constructor(world: World, onCrash: (reason: string) => void) {
    this.#world = world;
    this.#onCrash = onCrash;
  }

  get engine(): Instance<'MemoryStockEngine'> {
    return present(this.#engine);
  }

  get history(): Instance<'HistoryReader'> {
    return present(this.#history);
  }

  get projector(): Instance<'Projector'> {
    return present(this.#projector);
  }

  get relay(): Instance<'Relay'> {
    return present(this.#relay);
  }

  get ledgerDatabase(): DatabaseSync {
    return present(this.#databases[0] ?? null);
  }

  /** Fills the engine and opens it; throws when the ledger does not let it. */
  async start(): Promise<void> {
    const { parts, plan, folder, clock } = this.#world;
    const ledgerFile = join(folder, 'ledger.db');
    const database = await parts.openLedgerDatabase(ledgerFile, { synchronous: 'OFF' });
    this.#databases.push(database);
    const store = new parts.SqliteLedgerStore(database);
    store.operationIds.reviewIndex();
    this.#store = store;
    this.#index = new parts.OperationIndex(database);
    const ledger = new SimulatedLedger(this.#world, store, this);
    this.#ledger = ledger;
    this.#openProjections(database, store);
    const engine = new parts.MemoryStockEngine(clock, plan.window);
    const acknowledgements = new parts.Acknowledgements();
    this.#engine = engine;
    this.#acknowledgements = acknowledgements;
    const executor = new parts.CommandExecutor({
      engine,
      ledger,
      acknowledgements,
      findProjectedHold: async (hqId, reservationId) => {
        await this.#afterProjecting();
        const found = this.history.reservation(reservationId);
        return found?.hqId === hqId ? found.hold : null;
      },
    });
    this.#executor = executor;
    const heads = await this.#restore();
    this.#relay = this.#newRelay(store);
    this.#newRecorder(ledger).start(heads);
    await this.#relay.start(heads);
    for (const entry of await ledger.pendingUndos()) void parts.undoOf(entry, executor, this.#delay);
    this.#every(SWEEP_MS, () => this.#sweep());
    this.#every(40, () => this.#project());
  }

  #openProjections(ledger: DatabaseSync, store: Instance<'SqliteLedgerStore'>): void {
    const { parts, folder, clock, judge } = this.#world;
    const file = join(folder, 'projections.db');
    const { installationId } = store.identity();
    const { database } = parts.openProjections(file, installationId, clock());
    this.#databases.push(database);
    this.#projector = new parts.Projector({
      database,
      file,
      installationId,
      source: {
        heads: () => store.heads(),
        entries: (partition, afterSeq, limit) => {
          if (this.#tearAfterReads === 0) throw new Error('simulated crash while projecting');
          if (this.#tearAfterReads !== null) this.#tearAfterReads -= 1;
          return store.entries(partition, afterSeq, limit);
        },
      },
      onStopped: ({ partition, reason }) => judge.blame('projector', `partition ${partition} stopped: ${reason}`),
      onResumed: () => undefined,
      onNote: (note) => judge.blame('projector', note),
    });
    this.#history = new parts.HistoryReader(database, ledger);
  }

  #newRecorder(ledger: SimulatedLedger): Instance<'Recorder'> {
    const { parts, clock } = this.#world;
    return new parts.Recorder({
      engine: this.engine,
      ledger,
      acknowledgements: present(this.#acknowledgements),
      checker: new parts.EntryChecker(),
      events: this.#recorderEvents(),
      reload: () => this.#reload(),
      now: clock,
    });
  }

  #recorderEvents(): RecorderEvents {
    const { parts, judge } = this.#world;
    return {
      recorded: (head) => this.#relay?.recorded(head.partition, head.seq),
      duplicated: (entry) => {
        if (this.dead) return;
        parts
          .undoOf(entry, present(this.#executor), this.#delay)
          .catch((error: Error) => judge.blame('undo', error.message));
      },
      committed: () => undefined,
      halted: (reason) => {
        if (!this.dead && !reason.includes('simulated')) judge.blame('recorder', reason);
      },
      fatal: (reason) => {
        if (this.dead) return;
        if (!reason.includes('simulated')) judge.blame('recorder', reason);
        this.crash(`the process ended: ${reason}`);
      },
    };
  }

  async #restore(): Promise<RecordedHead[]> {
    const { parts, clock } = this.#world;
    const [, projections] = this.#databases;
    const source = {
      image: (since: number) => new parts.ImageReader(present(projections ?? null), new Set()).image(since),
    };
    return parts.restore(this.engine, present(this.#ledger), source, clock());
  }

  /** As `compose.ts`: until the ledger lets it. */
  async #reload(): Promise<RecordedHead[]> {
    const { scheduler } = this.#world;
    for (;;) {
      scheduler.busy += 1;
      try {
        return await this.#restore();
      } catch (error) {
        if (!(error as Error).message.includes('simulated')) throw error;
      } finally {
        scheduler.busy -= 1;
      }
      await this.#delay(RELOAD_RETRY_MS);
    }
  }

  #newRelay(store: Instance<'SqliteLedgerStore'>): Instance<'Relay'> {
    const { parts } = this.#world;
    return new parts.Relay({
      read: (partition, after, limit) =>
        this.#timed(3, () => {
          const entries = store.entries(partition, parts.firstEntryAfter(after), parts.ENTRIES_PER_BATCH);
          return parts.batchOf(entries, after, { hqId: null }, limit);
        }),
      publisher: {
        idle: false,
        callsAtOnce: 1,
        publish: (events) => this.#publish(events),
        close: async () => undefined,
      },
      cursors: {
        load: async () => new Map(parts.loadRelayCursors(this.ledgerDatabase)),
        save: (cursors) =>
          this.#timed(3, () => {
            if (this.#world.strikes('crash-saving-cursors') !== null) return this.crash('saving cursors');
            parts.saveRelayCursors(this.ledgerDatabase, [...cursors]);
          }),
      },
      onError: (error) => {
        if (!error.message.includes('simulated')) this.#world.judge.blame('relay', error.message);
      },
      delay: this.#delay,
      every: (ms, work) => {
        this.#every(ms, () => {
          void work();
          return true;
        });
        return () => undefined;
      },
    });
  }

  async #publish(events: Parameters<World['judge']['published']>[0]): Promise<void> {
    await this.#timed(5, () => {
      if (this.#world.strikes('publish-fails') !== null) throw new Error('simulated broker failure');
      if (this.#world.strikes('crash-before-publishing') !== null) return this.crash('before publishing');
      this.#world.judge.published(events);
      if (this.#world.strikes('crash-after-publishing') !== null) this.crash('after publishing');
    });
    await this.#timed(5, () => undefined);
  }

  /** Work that takes up to so long, and that a crash prevents. */
  #timed<T>(msMax: number, work: () => T): Promise<T> {
    const { scheduler, random } = this.#world;
    return new Promise((resolve, reject) => {
      scheduler.after(random.between(0, msMax), () => {
        if (this.dead) return;
        try {
          const value = work();
          if (!this.dead) resolve(value);
        } catch (error) {
          reject(error as Error);
        }
      });
    });
  }

  #delay = (ms: number): Promise<void> => {
    return new Promise((resolve) => {
      this.#world.scheduler.after(ms, () => {
        if (!this.dead) resolve();
      });
    });
  };

  #every(ms: number, work: () => boolean): void {
    const again = () => {
      if (this.dead) return false;
      const worked = work();
      this.#world.scheduler.after(ms, again);
      return worked ? undefined : false;
    };
    this.#world.scheduler.after(this.#world.random.between(0, ms), again);
  }

  #sweep(): boolean {
    let batches = 0;
    while (batches < 20 && this.engine.expireDue().holds > 0) batches += 1;
    return batches > 0;
  }

  #project(): boolean {
    if (this.#world.scheduler.busy > 0) return false;
    const { random } = this.#world;
    const recorded = this.#world.judge.entries.length;
    if (recorded === this.#projectedOf) return false;
    if (this.projector.standing().lag === 0) {
      this.#projectedOf = recorded;
      return false;
    }
    if (this.#world.strikes('crash-projecting') !== null) this.#tearAfterReads = random.between(0, 1);
    try {
      this.projector.serve(random.between(1, 64));
    } catch (error) {
      if (!(error as Error).message.includes('simulated')) throw error;
      this.crash('projecting');
    }
    this.#tearAfterReads = null;
    return true;
  }

  /** What was recorded when asked is projected, as reads of history wait for it. */
  async #afterProjecting(): Promise<void> {
    await this.#timed(10, () => this.catchUp());
  }

  catchUp(): void {
    while (this.projector.serve(1_000) > 0);
  }

  /** Folds young operation ids into their index, as the maintenance thread does. */
  fold(): void {
    present(this.#index).fold();
    present(this.#store).operationIds.reviewIndex();
  }

  /** What a route reads before it sends a count. */
  async onHandThen(hqId: string, keys: { storeId: string; productId: string }[], at: number) {
    await this.#afterProjecting();
    return this.history.onHandAt(hqId, keys, at);
  }

  execute(request: CommandRequest) {
    return present(this.#executor).execute(request);
  }

  recordedSeq(partition: number): number {
    return present(this.#acknowledgements).recordedSeq(partition);
  }

  crash(reason: string): void {
    if (this.dead) return;
    this.dead = true;
    this.#ledger?.abandon();
    // Closed a moment later, for the call that crashed may still be on the stack.
    this.#world.scheduler.after(0, () => this.close());
    this.#onCrash(reason);
  }

  /** Lets go of the files, as the end of a process does. */
  close(): void {
    this.#ledger?.abandon();
    for (const database of this.#databases.splice(0)) if (database.isOpen) database.close();
  }
}

function present<T>(value: T | null): T {
  if (value === null) throw new Error('the process is not started');
  return value;
}
