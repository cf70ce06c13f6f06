/** Wires an installation: the one place that knows which adapters stand behind the ports. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { loadTokenKey } from './access/token-key.ts';
import type { Readiness, RunningApplication } from './application.ts';
import { MasterData } from './catalog/master-data.ts';
import { SqliteCatalog } from './catalog/sqlite/sqlite-catalog.ts';
import { composeExecutor } from './compose-executor.ts';
import { composeOrdering, consume, type Ordering } from './compose-ordering.ts';
import { DataFolder } from './data-folder/data-folder.ts';
import { allOf, type PlacedEvent } from './events/event-source.ts';
import { LocalEventBus } from './events/local/local-event-bus.ts';
import { LocalEventFeed } from './events/local/local-event-feed.ts';
import { Relay } from './events/relay.ts';
import { SqliteEventSource } from './events/sqlite/sqlite-event-source.ts';
import { SqliteRelayCursors } from './events/sqlite/sqlite-relay-cursors.ts';
import { SqliteLedger } from './ledger/sqlite/sqlite-ledger.ts';
import { LocalLock } from './locking/local/local-lock.ts';
import { Locks } from './locking/locks.ts';
import { InboxSource } from './ordering/inbox/inbox-source.ts';
import { SqliteInboxStore } from './ordering/inbox/sqlite/sqlite-inbox-store.ts';
import { sqliteLetterStore } from './ordering/letters/sqlite/sqlite-letter-store.ts';
import type { Projections } from './projections/projections.ts';
import { openSqliteProjections } from './projections/sqlite/sqlite-projections.ts';
import type { KnownHead, LedgerProof } from './reconciliation/ledger-proof.ts';
import { SqliteLedgerProof } from './reconciliation/sqlite/sqlite-ledger-proof.ts';
import { verify } from './reconciliation/verify.ts';
import { Acknowledgements } from './recording/acknowledgements.ts';
import type { CommandExecutor } from './recording/command-executor.ts';
import { EntryChecker } from './recording/entry-checker.ts';
import { ExpirySchedule } from './recording/expiry-schedule.ts';
import { Recorder, type RecorderEvents } from './recording/recorder.ts';
import { LedgerWentBack, restore } from './recording/restore.ts';
import { undoOf } from './recording/undo.ts';
import { PARTITION_COUNT } from './stock/limits.ts';
import { MemoryStockEngine } from './stock/memory/memory-stock-engine.ts';
import type { RecordedHead } from './stock/stock-engine.ts';
import { Telemetry } from './telemetry/telemetry.ts';
import { keepNewObjectsYoung } from './threads/young-objects.ts';

const RELOAD_RETRY_MS = 1_000;

export interface ApplicationConfig {
  dataFolder: string;
  log: Logger;
  /** Called when the process must end, because its disk cannot be believed or its ledger is no longer its own. */
  onFatal: (reason: string) => void;
  /** How long an event of an order waits for what it speaks of. */
  earlyEventWaitMs: number;
}

/**
 * Opens an embedded installation and fills its engine; on return commands are decided.
 * @throws LedgerUnusable, LedgerWentBack: what is wrong with the data, and what to do.
 */
export async function openApplication(config: ApplicationConfig): Promise<RunningApplication> {
  keepNewObjectsYoung();
  const folder = await DataFolder.acquire(config.dataFolder);
  const opened: (() => Promise<void> | void)[] = [() => folder.release()];
  try {
    return await new EmbeddedComposition(config, folder, opened).open();
  } catch (error) {
    for (const close of opened.reverse()) await close();
    throw error;
  }
}

class EmbeddedComposition {
  readonly #config: ApplicationConfig;
  readonly #folder: DataFolder;
  readonly #opened: (() => Promise<void> | void)[];
  readonly #now = () => Date.now();
  readonly #telemetry = new Telemetry();
  readonly #acknowledgements = new Acknowledgements();
  readonly #engine = new MemoryStockEngine(this.#now);
  readonly #bus = new LocalEventBus();
  readonly #status = { reasons: ['starting'] };
  /** Why events of orders wait while reservations go on; null: they do not. */
  #ordersWait: () => string | null = () => null;

  constructor(config: ApplicationConfig, folder: DataFolder, opened: (() => Promise<void> | void)[]) {
    this.#config = config;
    this.#folder = folder;
    this.#opened = opened;
  }

  async open(): Promise<RunningApplication> {
    const ledger = await SqliteLedger.open(this.#folder.ledgerFile, {}, (error) =>
      this.#config.log.error({ err: error }, 'the upkeep of the ledger failed; it is tried again'),
    );
    this.#opened.push(() => ledger.close());
    const projections = await this.#openProjections(ledger);
    const executor = composeExecutor(
      { engine: this.#engine, ledger, acknowledgements: this.#acknowledgements },
      { history: projections.history, telemetry: this.#telemetry, log: this.#config.log },
    );
    const relay = this.#relay(ledger);
    const heads = await this.#restore(ledger, projections);
    const recorder = this.#recorder(ledger, projections, relay, executor);
    recorder.start(heads);
    this.#opened.push(() => this.#stopRecording(recorder));
    await relay.start(heads);
    this.#opened.push(() => relay.stop());
    const expiry = new ExpirySchedule(this.#engine, (latenessMs) =>
      this.#telemetry.expiryLatenessSeconds.observe(latenessMs / 1_000),
    );
    this.#opened.push(() => expiry.stop());
    const catalog = new SqliteCatalog(ledger.threads);
    const masterData = new MasterData({ catalog, executor });
    const ordering = this.#ordering({ ledger, projections, executor, masterData });
    this.#status.reasons = [];
    await masterData.reconcile();
    for (const entry of await ledger.pendingUndos()) await undoOf(entry, executor);
    this.#gauges(projections, relay);
    await this.#consume(ordering);
    return this.#application({ ledger, projections, executor, catalog, masterData, ordering });
  }

  async #openProjections(ledger: SqliteLedger): Promise<Projections> {
    const projections = await openSqliteProjections({
      file: this.#folder.projectionsFile,
      ledgerFile: this.#folder.ledgerFile,
      ledger,
      recordedSeq: (partition) => this.#acknowledgements.recordedSeq(partition),
      log: this.#config.log,
    });
    this.#opened.push(() => projections.close());
    return projections;
  }

  #restore(ledger: SqliteLedger, projections: Projections): Promise<RecordedHead[]> {
    return restore(this.#engine, ledger, projections.images, this.#now());
  }

  #relay(ledger: SqliteLedger): Relay<PlacedEvent> {
    return new Relay({
      read: allOf(new SqliteEventSource(ledger.threads.reader)),
      publisher: this.#bus,
      cursors: new SqliteRelayCursors(ledger.threads.writer),
      onError: (error) => this.#config.log.error({ err: error }, 'publishing failed; it is tried again'),
      delay: (ms) => delay(ms),
    });
  }

  #recorder(
    ledger: SqliteLedger,
    projections: Projections,
    relay: Relay<PlacedEvent>,
    executor: CommandExecutor,
  ): Recorder {
    return new Recorder({
      engine: this.#engine,
      ledger,
      acknowledgements: this.#acknowledgements,
      checker: new EntryChecker(),
      events: this.#recorderEvents(projections, relay, executor),
      reload: () => this.#reload(ledger, projections),
      now: () => performance.now(),
    });
  }

  #recorderEvents(projections: Projections, relay: Relay<PlacedEvent>, executor: CommandExecutor): RecorderEvents {
    const { log, onFatal } = this.#config;
    return {
      recorded: (head, entries) => {
        this.#telemetry.recorded(entries);
        projections.wake(head.partition, head.seq);
        relay.recorded(head.partition, head.seq);
      },
      duplicated: (entry) => {
        log.warn(
          { partition: entry.partition, seq: entry.seq, duplicateOf: entry.duplicateOf },
          'decided twice; taken back',
        );
        undoOf(entry, executor).catch((error: unknown) =>
          log.error({ err: error, seq: entry.seq }, 'a second decision could not be taken back'),
        );
      },
      committed: ({ entries, durationMs }) => {
        this.#telemetry.batchEntries.observe(entries);
        this.#telemetry.recordSeconds.observe(durationMs / 1_000);
      },
      halted: (reason) => {
        this.#telemetry.engineHalts.inc();
        this.#status.reasons = [`the engine is being filled again: ${reason}`];
        log.error({ reason }, 'the engine was halted; what was not recorded is discarded');
      },
      fatal: (reason) => {
        this.#status.reasons = [reason];
        log.fatal({ reason }, 'recording has ended');
        onFatal(reason);
      },
    };
  }

  /** Tries until the ledger lets it: meanwhile commands are refused with 503. */
  async #reload(ledger: SqliteLedger, projections: Projections): Promise<RecordedHead[]> {
    for (;;) {
      try {
        const heads = await this.#restore(ledger, projections);
        this.#status.reasons = [];
        return heads;
      } catch (error) {
        if (error instanceof LedgerWentBack) throw error;
        this.#config.log.error({ err: error }, 'the engine cannot be filled yet');
        await delay(RELOAD_RETRY_MS);
      }
    }
  }

  async #stopRecording(recorder: Recorder): Promise<void> {
    await this.#engine.close();
    await recorder.stop();
  }

  #gauges(projections: Projections, relay: Relay<PlacedEvent>): void {
    const { gauge } = this.#telemetry;
    const set = gauge.bind(this.#telemetry);
    set('holdfast_open_holds', 'Reservations that hold stock now', () => this.#engine.counts().openHolds);
    set('holdfast_levels', 'Levels that the engine holds', () => this.#engine.counts().levels);
    set(
      'holdfast_remembered_operations',
      'Operation ids in the window',
      () => this.#engine.counts().rememberedOperations,
    );
    set(
      'holdfast_unrecorded_commands',
      'Commands decided and not yet recorded',
      () => this.#engine.counts().unrecorded,
    );
    set('holdfast_projection_lag_entries', 'Entries recorded and not yet projected', () => projections.lag());
    set('holdfast_relay_lag_entries', 'Entries recorded and not yet published', () => relay.lag());
    set('holdfast_event_streams', 'Subscribers of the in-process bus', () => this.#bus.subscribers);
  }

  #application(parts: {
    ledger: SqliteLedger;
    projections: Projections;
    executor: CommandExecutor;
    catalog: SqliteCatalog;
    masterData: MasterData;
    ordering: Ordering;
  }): RunningApplication {
    const { ledger, projections, executor, catalog, masterData, ordering } = parts;
    return {
      mode: 'embedded',
      now: this.#now,
      executor,
      engine: this.#engine,
      history: projections.history,
      catalog,
      masterData,
      spoolFolder: join(this.#folder.path, 'imports'),
      announce: (server) => this.#folder.announce(server),
      events: new LocalEventFeed({
        source: new SqliteEventSource(ledger.threads.reader),
        bus: this.#bus,
        recordedSeqs: (partitions) => partitions.map((each) => this.#acknowledgements.recordedSeq(each)),
      }),
      inbox: ordering.inbox,
      readMessage: ordering.readPlain,
      letterDesk: ordering.desk,
      telemetry: this.#telemetry,
      locks: new Locks({ lock: new LocalLock(), nodeId: 'embedded', observer: this.#telemetry.locks }),
      tokenKey: loadTokenKey(this.#folder.path),
      isReady: () => this.#status.reasons.length === 0,
      readiness: () => this.#readiness(projections),
      verify: (options) =>
        verify({ openProof: (knownHead) => this.#openProof(knownHead), engine: this.#engine }, options),
      rebuild: (projection, onProgress) => projections.rebuild(projection, onProgress),
      stop: async () => {
        this.#status.reasons = ['draining'];
        for (const close of this.#opened.splice(0).reverse()) await close();
      },
    };
  }

  #ordering(parts: {
    ledger: SqliteLedger;
    projections: Projections;
    executor: CommandExecutor;
    masterData: MasterData;
  }): Ordering {
    const { ledger, projections, executor, masterData } = parts;
    return composeOrdering(
      {
        executor,
        masterData,
        history: projections.history,
        letterStore: sqliteLetterStore(ledger.threads),
        inboxStore: new SqliteInboxStore(ledger.threads),
      },
      { keys: null, plainMessages: 'accepted', telemetry: this.#telemetry, log: this.#config.log },
    );
  }

  async #consume(ordering: Ordering): Promise<void> {
    const { log, earlyEventWaitMs } = this.#config;
    const { inbox } = ordering;
    const onError = (error: Error) => log.warn({ err: error }, 'the inbox could not be read; it is tried again');
    const consumption = await consume(ordering, new InboxSource({ inbox, onError }), {
      earlyEventWaitMs,
      isReady: () => this.#status.reasons.length === 0,
      telemetry: this.#telemetry,
      log,
    });
    this.#ordersWait = () => consumption.degraded();
    this.#opened.push(() => consumption.stop());
  }

  #openProof(knownHead: KnownHead | null): LedgerProof {
    const { projectionsFile, ledgerFile } = this.#folder;
    return new SqliteLedgerProof({ file: projectionsFile, ledgerFile }, knownHead);
  }

  #readiness(projections: Projections): Readiness {
    const stopped = projections.status().filter((partition) => partition.stopped !== undefined);
    const degraded = stopped.map(
      ({ partition, stopped: reason }) =>
        `history of partition ${partition} of ${PARTITION_COUNT} stands still: ${reason}`,
    );
    const ordersWait = this.#ordersWait();
    if (ordersWait !== null) degraded.push(ordersWait);
    return { ready: this.#status.reasons.length === 0, reasons: [...this.#status.reasons], degraded };
  }
}
