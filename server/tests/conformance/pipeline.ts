/**
 * One engine with the real recorder, checker, executor and SQLite ledger behind it, as `compose.ts` wires them, but
 * with a clock that the test moves and with history read naively from the entries.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteLedger } from '../../src/ledger/sqlite/sqlite-ledger.ts';
import { Acknowledgements } from '../../src/recording/acknowledgements.ts';
import { CommandExecutor } from '../../src/recording/command-executor.ts';
import { EntryChecker } from '../../src/recording/entry-checker.ts';
import { Recorder } from '../../src/recording/recorder.ts';
import { restore } from '../../src/recording/restore.ts';
import type { EmbeddedEngine } from '../../src/stock/stock-engine.ts';
import { CommandPipeline } from './command-pipeline.ts';
import type { EngineAdapter } from './engine-adapters.ts';

interface Process {
  engine: EmbeddedEngine;
  ledger: SqliteLedger;
  recorder: Recorder;
  executor: CommandExecutor;
}

/** The image of a system that has no projections: the ledger alone fills the engine. */
const NO_IMAGE = { async *image() {} };

export interface PipelineOptions {
  /** An existing one; else one of its own, which goes with the pipeline. */
  folder?: string;
  synchronous?: 'FULL' | 'NORMAL' | 'OFF';
}

export class Pipeline extends CommandPipeline {
  readonly #adapter: EngineAdapter;
  readonly #folder: string;
  readonly #options: PipelineOptions;
  #process: Process | null = null;

  constructor(adapter: EngineAdapter, options: PipelineOptions = {}) {
    super();
    this.#adapter = adapter;
    this.#options = options;
    this.#folder = options.folder ?? mkdtempSync(join(tmpdir(), 'holdfast-pipeline-'));
  }

  get running(): Process {
    if (this.#process === null) throw new Error('the pipeline is not started');
    return this.#process;
  }

  override get engine(): EmbeddedEngine {
    return this.running.engine;
  }

  override get executor(): CommandExecutor {
    return this.running.executor;
  }

  override get ledger(): SqliteLedger {
    return this.running.ledger;
  }

  override async start(): Promise<void> {
    const now = () => this.nowMs;
    const engine = await this.#adapter.create(now);
    const { synchronous = 'FULL' } = this.#options;
    const ledger = await SqliteLedger.open(join(this.#folder, 'ledger.db'), { synchronous });
    const acknowledgements = new Acknowledgements();
    const reload = () => restore(engine, ledger, NO_IMAGE, now());
    const recorder = new Recorder({
      engine,
      ledger,
      acknowledgements,
      checker: new EntryChecker(),
      reload,
      now: () => performance.now(),
      events: {
        recorded: () => undefined,
        duplicated: (entry) => this.duplicates.push(entry),
        committed: () => undefined,
        halted: (reason) => this.failures.push(`halted: ${reason}`),
        fatal: (reason) => this.failures.push(`fatal: ${reason}`),
      },
    });
    recorder.start(await reload());
    const findProjectedHold = (hqId: string, reservationId: string) => this.findHold(hqId, reservationId);
    const executor = new CommandExecutor({ engine, ledger, acknowledgements, findProjectedHold });
    this.#process = { engine, ledger, recorder, executor };
  }

  /** Ends it gracefully; what was decided is recorded. */
  override async stop(): Promise<void> {
    const { engine, recorder, ledger } = this.running;
    await engine.close();
    await recorder.stop();
    await ledger.close();
    this.#process = null;
  }

  override async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  override async dispose(): Promise<void> {
    if (this.#process !== null) await this.stop();
    if (this.#options.folder === undefined) rmSync(this.#folder, { recursive: true, force: true });
  }
}
