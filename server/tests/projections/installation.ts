/** An installation in a temporary folder, wired as `compose.ts` does, with a clock that the test moves. */
import { hash } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { SqliteLedger } from '../../src/ledger/sqlite/sqlite-ledger.ts';
import type { ProjectionLog, Projections } from '../../src/projections/projections.ts';
import { openSqliteProjections } from '../../src/projections/sqlite/sqlite-projections.ts';
import type { KnownHead, LedgerProof } from '../../src/reconciliation/ledger-proof.ts';
import { SqliteLedgerProof } from '../../src/reconciliation/sqlite/sqlite-ledger-proof.ts';
import { type VerifyOptions, verify } from '../../src/reconciliation/verify.ts';
import { Acknowledgements } from '../../src/recording/acknowledgements.ts';
import { CommandExecutor, type Execution } from '../../src/recording/command-executor.ts';
import { EntryChecker } from '../../src/recording/entry-checker.ts';
import { Recorder } from '../../src/recording/recorder.ts';
import { restore } from '../../src/recording/restore.ts';
import type { Command, Item, Settings } from '../../src/stock/commands.ts';
import type { Entry } from '../../src/stock/entry.ts';
import { newReservationId, partitionOf } from '../../src/stock/identifiers.ts';
import { MemoryStockEngine } from '../../src/stock/memory/memory-stock-engine.ts';

export const HQ = 'HQ001';
export const PARTITION = partitionOf(HQ);
export const UNSET: Settings = { safetyStock: null, lowThreshold: null };
export const MINUTE = 60_000;

interface Running {
  engine: MemoryStockEngine;
  ledger: Ledger;
  projections: Projections;
  recorder: Recorder;
  executor: CommandExecutor;
  acknowledgements: Acknowledgements;
}

interface Ask {
  hqId?: string;
  operationId?: string | null;
  subject?: string;
}

export class Installation {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-projections-'));
  readonly ledgerFile = join(this.folder, 'ledger.db');
  readonly file = join(this.folder, 'projections.db');
  readonly log: string[] = [];
  nowMs = Date.UTC(2026, 0, 5, 9);
  #running: Running | null = null;
  #operations = 0;

  static async start(): Promise<Installation> {
    const installation = new Installation();
    await installation.start();
    return installation;
  }

  /** The files of a stopped installation, for whoever spoils them: not started. */
  static copyOf(template: Installation): Installation {
    const copy = new Installation();
    cpSync(template.folder, copy.folder, { recursive: true });
    copy.nowMs = template.nowMs + MINUTE;
    return copy;
  }

  get running(): Running {
    if (this.#running === null) throw new Error('the installation is not started');
    return this.#running;
  }

  get engine(): MemoryStockEngine {
    return this.running.engine;
  }

  get projections(): Projections {
    return this.running.projections;
  }

  get history() {
    return this.running.projections.history;
  }

  async start(): Promise<void> {
    const now = () => this.nowMs;
    const engine = new MemoryStockEngine(now);
    const ledger = await this.openLedger();
    const acknowledgements = new Acknowledgements();
    const note = (line: string) => {
      this.log.push(line);
    };
    try {
      const projections = await this.openProjections(ledger, acknowledgements, { info: note, error: note });
      const recorder = new Recorder({
        engine,
        ledger,
        acknowledgements,
        checker: new EntryChecker(),
        reload: () => restore(engine, ledger, projections.images, now()),
        now: () => performance.now(),
        events: {
          recorded: (head) => projections.wake(head.partition, head.seq),
          duplicated: () => undefined,
          committed: () => undefined,
          halted: note,
          fatal: note,
        },
      });
      const executor = new CommandExecutor({
        engine,
        ledger,
        acknowledgements,
        findProjectedHold: async (_hqId, id) => (await projections.history.reservation(id))?.hold ?? null,
      });
      this.#running = { engine, ledger, projections, recorder, executor, acknowledgements };
      recorder.start(await restore(engine, ledger, projections.images, now()));
    } catch (error) {
      if (this.#running !== null) await this.projections.close();
      this.#running = null;
      await ledger.close();
      throw error;
    }
  }

  protected openLedger(): Promise<Ledger> {
    return SqliteLedger.open(this.ledgerFile);
  }

  protected openProjections(
    ledger: Ledger,
    acknowledgements: Acknowledgements,
    log: ProjectionLog,
  ): Promise<Projections> {
    const { file, ledgerFile } = this;
    const recordedSeq = (partition: number) => acknowledgements.recordedSeq(partition);
    return openSqliteProjections({ file, ledgerFile, ledger, recordedSeq, log });
  }

  protected openProof(knownHead: KnownHead | null): LedgerProof {
    const { file, ledgerFile } = this;
    return new SqliteLedgerProof({ file, ledgerFile }, knownHead);
  }

  async stop(): Promise<void> {
    const { engine, recorder, projections, ledger } = this.running;
    this.#running = null;
    await engine.close();
    await recorder.stop();
    await projections.close();
    await ledger.close();
  }

  async dispose(): Promise<void> {
    if (this.#running !== null) await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  execute(command: Command, { hqId = HQ, operationId, subject = 'tests' }: Ask = {}): Promise<Execution> {
    this.#operations += 1;
    const id = operationId === undefined ? `op-${this.nowMs}-${this.#operations}` : operationId;
    return this.running.executor.execute({
      actor: { subject, role: 'admin' },
      origin: 'tests',
      correlationId: 'tests',
      causationId: null,
      hqId,
      operationId: id,
      fingerprint: id === null ? null : hash('sha256', JSON.stringify(command), 'hex'),
      command,
    });
  }

  /** Executes what must be recorded, and gives its entry. */
  async entry(command: Command, ask?: Ask): Promise<Entry> {
    const execution = await this.execute(command, ask);
    if (execution.status !== 'recorded') throw new Error(`${command.type} was answered ${JSON.stringify(execution)}`);
    return execution.entry;
  }

  /** Makes stores and products known, and receives 100 of each product at each store. */
  async stock(storeIds: readonly string[], productIds: readonly string[], hqId = HQ): Promise<void> {
    for (const storeId of storeIds) await this.entry({ type: 'configure-store', storeId, settings: UNSET }, { hqId });
    for (const productId of productIds)
      await this.entry({ type: 'configure-product', productId, settings: UNSET }, { hqId });
    const items = storeIds.flatMap((storeId) => productIds.map((productId) => ({ storeId, productId, quantity: 100 })));
    await this.entry({ type: 'receive', items, reference: 'DELIVERY-1' }, { hqId });
  }

  async reserve(items: Item[], ask: Ask & { ttlMs?: number } = {}): Promise<string> {
    const reservationId = newReservationId(partitionOf(ask.hqId ?? HQ));
    await this.entry(
      {
        type: 'reserve',
        reservationId,
        storeId: items[0]?.storeId ?? '',
        transactionId: `TRX-${this.#operations}`,
        ttlMs: ask.ttlMs ?? 5 * MINUTE,
        items,
      },
      ask,
    );
    return reservationId;
  }

  async expire(): Promise<void> {
    this.engine.expireDue();
    while (this.engine.counts().unrecorded > 0) await delay(2);
  }

  /** Waits until all that is recorded is projected. */
  async projected(): Promise<void> {
    await until(() => this.projections.lag() === 0);
  }

  verify(options?: VerifyOptions, withEngine = true) {
    const openProof = (knownHead: KnownHead | null) => this.openProof(knownHead);
    return verify({ openProof, engine: withEngine ? this.engine : null }, options);
  }

  /** Changes a database behind everybody's back. */
  tamper(file: string, sql: string, ...values: (string | number | null)[]): void {
    const database = new DatabaseSync(file, { timeout: 5_000 });
    const { changes } = database.prepare(sql).run(...values);
    database.close();
    if (changes === 0) throw new Error(`nothing was changed by ${sql}`);
  }

  /** The ledger refuses updates and deletes by triggers; whoever forges it drops them first. */
  forge(sql: string, ...values: (string | number | null)[]): void {
    const database = new DatabaseSync(this.ledgerFile, { timeout: 5_000 });
    database.exec('drop trigger if exists entries_no_update; drop trigger if exists entries_no_delete');
    const { changes } = database.prepare(sql).run(...values);
    database.close();
    if (changes === 0) throw new Error(`nothing was forged by ${sql}`);
  }

  rows<T>(sql: string, ...values: (string | number)[]): T[] {
    return this.#rowsOf<T>(this.file, sql, values);
  }

  ledgerRows<T>(sql: string, ...values: (string | number)[]): T[] {
    return this.#rowsOf<T>(this.ledgerFile, sql, values);
  }

  #rowsOf<T>(file: string, sql: string, values: (string | number)[]): T[] {
    const database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
    const rows = database.prepare(sql).all(...values);
    database.close();
    return rows as T[];
  }
}

export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('it did not come to pass');
    await delay(10);
  }
}
