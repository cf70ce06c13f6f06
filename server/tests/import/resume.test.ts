import { spawnSync } from 'node:child_process';
import { createReadStream, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MasterChange } from '../../src/catalog/catalog.ts';
import {
  ImportInterrupted,
  type ImportReport,
  type ImportRequest,
  importCsv,
} from '../../src/catalog/import/import-csv.ts';
import { Pipeline, PROVENANCE, temporaryFolder } from '../catalog/pipeline.ts';

const STORES = 100;
const PRODUCTS = 200;
const ROWS = STORES * PRODUCTS;
const change: MasterChange = { hqId: 'HQ001', provenance: PROVENANCE, at: 1 };

let folder: string;
let file: string;
let pipeline: Pipeline;

async function addStore(storeId: string): Promise<void> {
  const store = { storeId, name: storeId, type: null, city: null, openedAt: null, lowThreshold: null };
  await pipeline.masterData.putStores(change, [store]);
}

async function addProducts(): Promise<void> {
  const nothing = { category: null, price: null, cost: null, safetyStock: null, lowThreshold: null };
  const products = Array.from({ length: PRODUCTS }, (_, index) => ({ productId: `P${index}`, name: 'p', ...nothing }));
  await pipeline.masterData.putProducts(change, products);
}

const quantityAt = (store: number, product: number) => (store * 7 + product) % 50;

function writeFile(): void {
  let text = 'Store_ID,Product_ID,Stock_On_Hand\n';
  for (let store = 0; store < STORES; store += 1) {
    for (let product = 0; product < PRODUCTS; product += 1)
      text += `S${store},P${product},${quantityAt(store, product)}\n`;
  }
  writeFileSync(file, text);
}

function expectAllInOnce(stores = STORES): void {
  for (let store = 0; store < stores; store += 1) {
    const keys = Array.from({ length: PRODUCTS }, (_, product) => ({ storeId: `S${store}`, productId: `P${product}` }));
    const onHand = pipeline.engine.levels('HQ001', keys).map((level) => level?.onHand);
    expect(onHand).toEqual(keys.map((_, product) => quantityAt(store, product)));
  }
}

function run(options: Partial<ImportRequest> = {}): Promise<ImportReport> {
  const { masterData, executor, engine } = pipeline;
  return importCsv(
    { masterData, executor, engine, now: Date.now, spoolFolder: join(folder, 'imports') },
    {
      kind: 'stock',
      hqId: 'HQ001',
      source: createReadStream(file),
      onError: 'stop',
      mapping: new Map(),
      provenance: PROVENANCE,
      ...options,
    },
  );
}

beforeEach(async () => {
  folder = temporaryFolder();
  file = join(folder, 'stock.csv');
  writeFile();
  pipeline = await Pipeline.open(folder);
  await addProducts();
});

afterEach(async () => {
  await pipeline.close({ keepFolder: true });
  rmSync(folder, { recursive: true, force: true });
});

async function addStores(): Promise<void> {
  for (let store = 0; store < STORES; store += 1) await addStore(`S${store}`);
}

describe('an import that is cut short', () => {
  it('goes on after kill -9 without a double, when the same file is imported again', async () => {
    await addStores();
    await pipeline.close({ keepFolder: true });
    const child = spawnSync(process.execPath, [join(import.meta.dirname, 'resume-fixture.ts'), folder, file, '2000']);
    expect(child.signal).toBe('SIGKILL');
    expect(readdirSync(join(folder, 'imports'))).toHaveLength(1);

    pipeline = await Pipeline.open(folder);
    const report = await run();
    expect(report).toMatchObject({ applied: true, rows: ROWS, skipped: 0 });
    expect(report.replayed).toBeGreaterThanOrEqual(2_000);
    expect(report.replayed + report.imported).toBe(ROWS);
    expectAllInOnce();
    expect(readdirSync(join(folder, 'imports'))).toEqual([]);
    expect(await run()).toMatchObject({ imported: 0, replayed: ROWS });
    expectAllInOnce();
  }, 60_000);

  it('stops between chunks on a signal, says how to go on, and goes on', async () => {
    await addStores();
    const stop = new AbortController();
    const onProgress: ImportRequest['onProgress'] = ({ phase, rows }) => {
      if (phase === 'importing' && rows >= 1_000) stop.abort();
    };
    const interrupted = await run({ signal: stop.signal, onProgress }).catch((error: unknown) => error);
    expect(interrupted).toBeInstanceOf(ImportInterrupted);
    const { imported, message } = interrupted as ImportInterrupted;
    expect(imported).toBeGreaterThanOrEqual(1_000);
    expect(imported).toBeLessThan(ROWS);
    expect(message).toContain('Import the same file again');
    expect(await run()).toMatchObject({ imported: ROWS - imported, replayed: imported });
    expectAllInOnce();
  });

  it('leaves nothing behind when it is stopped while the file is looked through', async () => {
    await addStores();
    const stop = new AbortController();
    stop.abort();
    await expect(run({ signal: stop.signal })).rejects.toThrow('nothing was imported');
    expect(readdirSync(join(folder, 'imports'))).toEqual([]);
    expect(pipeline.onHand('HQ001', 'S0', 'P1')).toBe(0);
  });

  it('fails as its source fails, and nothing is imported', async () => {
    await addStores();
    async function* broken() {
      yield Buffer.from('Store_ID,Product_ID,Stock_On_Hand\nS0,P1,1\n');
      throw new Error('the connection was lost');
    }
    await expect(run({ source: broken() })).rejects.toThrow('the connection was lost');
    expect(pipeline.onHand('HQ001', 'S0', 'P1')).toBe(0);
  });
});

describe('a file that is imported again', () => {
  it('brings in what was refused the first time, and nothing else', async () => {
    // Without S0 the first chunks keep some of their rows only; the chunk that S2 ends holds rows of both kinds.
    for (let store = 1; store < STORES; store += 2) await addStore(`S${store}`);
    const first = await run({ onError: 'skip' });
    expect(first).toMatchObject({ imported: ROWS / 2, skipped: ROWS / 2 });
    for (let store = 0; store < STORES / 2; store += 2) await addStore(`S${store}`);
    expect(await run({ onError: 'skip' })).toMatchObject({ imported: ROWS / 4, replayed: ROWS / 2, skipped: ROWS / 4 });
    for (let store = STORES / 2; store < STORES; store += 2) await addStore(`S${store}`);
    expect(await run()).toMatchObject({ imported: ROWS / 4, replayed: (ROWS * 3) / 4, skipped: 0 });
    expectAllInOnce();
  });

  it('is a new import when its content differs', async () => {
    await addStores();
    await run();
    writeFileSync(file, 'Store_ID,Product_ID,Stock_On_Hand\nS0,P1,5\n');
    expect(await run()).toMatchObject({ imported: 1, replayed: 0 });
    expect(pipeline.onHand('HQ001', 'S0', 'P1')).toBe(quantityAt(0, 1) + 5);
  });
});
