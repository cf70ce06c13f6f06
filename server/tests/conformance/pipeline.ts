/**
 * One engine with the real recorder, checker, executor and SQLite ledger behind it, as `compose.ts` wires them, but
 * with a clock that the test moves and with history read naively from the entries.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { SqliteLedger } from '../../src/ledger/sqlite/sqlite-ledger.ts';
import { Acknowledgements } from '../../src/recording/acknowledgements.ts';
import { CommandExecutor, type Execution } from '../../src/recording/command-executor.ts';
import { EntryChecker } from '../../src/recording/entry-checker.ts';
import { Recorder } from '../../src/recording/recorder.ts';
import { restore } from '../../src/recording/restore.ts';
import type { Command } from '../../src/stock/commands.ts';
import type { Entry, Hold } from '../../src/stock/entry.ts';
import { decodeEntry } from '../../src/stock/entry-codec.ts';
import { partitionOf } from '../../src/stock/identifiers.ts';
import type { CommandRequest, EmbeddedEngine } from '../../src/stock/stock-engine.ts';
import type { EngineAdapter } from './engine-adapters.ts';

export interface Ask {
  hqId: string;
  operationId: string | null;
  fingerprint: string | null;
  command: Command;
}

interface Process {
  engine: EmbeddedEngine;
  ledger: SqliteLedger;
  recorder: Recorder;
  executor: CommandExecutor;
}

/** The image of a system that has no projections: the ledger alone fills the engine. */
const NO_IMAGE = { async *image() {} };

const PROVENANCE = {
  actor: { subject: 'tests', role: 'admin' },
  origin: 'tests',
  correlationId: 'tests',
  causationId: null,
};

export interface PipelineOptions {
  /** An existing one; else one of its own, which goes with the pipeline. */
  folder?: string;
  synchronous?: 'FULL' | 'NORMAL' | 'OFF';
}

export class Pipeline {
  readonly #adapter: EngineAdapter;
  readonly #folder: string;
  readonly #options: PipelineOptions;
  readonly failures: string[] = [];
  readonly duplicates: Entry[] = [];
  nowMs = Date.UTC(2026, 0, 5, 9);
  #process: Process | null = null;

  constructor(adapter: EngineAdapter, options: PipelineOptions = {}) {
    this.#adapter = adapter;
    this.#options = options;
    this.#folder = options.folder ?? mkdtempSync(join(tmpdir(), 'holdfast-pipeline-'));
  }

  get running(): Process {
    if (this.#process === null) throw new Error('the pipeline is not started');
    return this.#process;
  }

  get engine(): EmbeddedEngine {
    return this.running.engine;
  }

  get executor(): CommandExecutor {
    return this.running.executor;
  }

  get ledger(): SqliteLedger {
    return this.running.ledger;
  }

  async start(): Promise<void> {
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
  async stop(): Promise<void> {
    const { engine, recorder, ledger } = this.running;
    await engine.close();
    await recorder.stop();
    await ledger.close();
    this.#process = null;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async dispose(): Promise<void> {
    if (this.#process !== null) await this.stop();
    if (this.#options.folder === undefined) rmSync(this.#folder, { recursive: true, force: true });
  }

  request(ask: Ask): CommandRequest {
    return { ...PROVENANCE, ...ask };
  }

  execute(ask: Ask): Promise<Execution> {
    return this.executor.execute(this.request(ask));
  }

  /** Closes all holds that are due, and waits until that is recorded. */
  async sweep(): Promise<void> {
    while ((await this.engine.expireDue()).holds > 0);
    while ((await this.engine.counts()).unrecorded > 0) await setImmediate();
  }

  /** All that the ledger holds of an HQ's partition. */
  async entries(hqId: string): Promise<Entry[]> {
    const all: Entry[] = [];
    for (;;) {
      const stored = await this.ledger.entries(partitionOf(hqId), all.at(-1)?.seq ?? 0, 10_000);
      if (stored.length === 0) return all;
      all.push(...stored.map((row) => decodeEntry(row.body)));
    }
  }

  async findHold(hqId: string, reservationId: string): Promise<Hold | null> {
    const entries = await this.entries(hqId);
    const holds = entries.filter((entry) => entry.hqId === hqId).flatMap((entry) => entry.holds);
    return holds.findLast((hold) => hold.reservationId === reservationId) ?? null;
  }
}
