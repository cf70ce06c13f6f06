import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Catalog } from '../../src/catalog/catalog.ts';
import { MasterData } from '../../src/catalog/master-data.ts';
import { SqliteCatalog } from '../../src/catalog/sqlite/sqlite-catalog.ts';
import { SqliteLedger } from '../../src/ledger/sqlite/sqlite-ledger.ts';
import { Acknowledgements } from '../../src/recording/acknowledgements.ts';
import { CommandExecutor, type Execution } from '../../src/recording/command-executor.ts';
import { EntryChecker } from '../../src/recording/entry-checker.ts';
import { Recorder } from '../../src/recording/recorder.ts';
import { restore } from '../../src/recording/restore.ts';
import type { Command } from '../../src/stock/commands.ts';
import type { Provenance } from '../../src/stock/entry.ts';
import { MemoryStockEngine } from '../../src/stock/memory/memory-stock-engine.ts';

export const PROVENANCE: Provenance = {
  actor: { subject: 'test', role: 'admin', address: '127.0.0.1' },
  origin: 'test',
  correlationId: 'correlation-1',
  causationId: null,
};

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'holdfast-test-'));
}

function sqliteCatalog(ledger: SqliteLedger): Catalog {
  return new SqliteCatalog(ledger.threads);
}

/** Engine, recorder, ledger and catalog over one folder, without projections: started again it replays every entry. */
export class Pipeline {
  readonly folder: string;
  readonly engine = new MemoryStockEngine(Date.now);
  readonly ledger: SqliteLedger;
  readonly catalog: Catalog;
  readonly executor: CommandExecutor;
  readonly masterData: MasterData;
  readonly #recorder: Recorder;

  private constructor(folder: string, ledger: SqliteLedger, catalog: Catalog) {
    this.folder = folder;
    this.ledger = ledger;
    this.catalog = catalog;
    const { engine } = this;
    const acknowledgements = new Acknowledgements();
    this.#recorder = new Recorder({
      engine,
      ledger,
      acknowledgements,
      checker: new EntryChecker(),
      reload: () => this.#restore(),
      now: Date.now,
      events: {
        recorded() {},
        duplicated() {},
        committed() {},
        halted() {},
        fatal(reason) {
          throw new Error(reason);
        },
      },
    });
    this.executor = new CommandExecutor({ engine, ledger, acknowledgements, findProjectedHold: async () => null });
    this.masterData = new MasterData({ catalog: this.catalog, executor: this.executor });
  }

  static async open(folder = temporaryFolder(), catalogOf = sqliteCatalog): Promise<Pipeline> {
    const ledger = await SqliteLedger.open(join(folder, 'ledger.db'));
    const pipeline = new Pipeline(folder, ledger, catalogOf(ledger));
    pipeline.#recorder.start(await pipeline.#restore());
    return pipeline;
  }

  #restore() {
    const nothing = { async *image() {} };
    return restore(this.engine, this.ledger, nothing, Date.now());
  }

  execute(hqId: string, command: Command, operationId: string | null = null): Promise<Execution> {
    return this.executor.execute({ ...PROVENANCE, hqId, operationId, fingerprint: operationId, command });
  }

  onHand(hqId: string, storeId: string, productId: string): number | undefined {
    return this.engine.levels(hqId, [{ storeId, productId }])[0]?.onHand;
  }

  async close({ keepFolder = false } = {}): Promise<void> {
    await this.engine.close();
    await this.#recorder.stop();
    await this.ledger.close();
    if (!keepFolder) rmSync(this.folder, { recursive: true, force: true });
  }
}
