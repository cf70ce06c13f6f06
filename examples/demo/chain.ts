/** The sample chain: brought in from its CSV files, and what the simulation needs to know of it. */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import type { RunningApplication } from '../../server/src/application.ts';
import type { Product } from '../../server/src/catalog/catalog.ts';
import { importCsv } from '../../server/src/catalog/import/import-csv.ts';
import type { Provenance } from '../../server/src/stock/entry.ts';

export const HQ_ID = 'HQ001';
const TOYS = join(import.meta.dirname, '../toys');
const FILES = [
  { kind: 'stores', file: 'stores.csv' },
  { kind: 'products', file: 'products.csv' },
  { kind: 'stock', file: 'inventory.csv' },
] as const;

export const DEMO: Provenance = {
  actor: { subject: 'demo', role: 'service' },
  origin: 'demo',
  correlationId: 'demo',
  causationId: null,
};

export interface Shelf {
  storeId: string;
  productId: string;
  openedWith: number;
}

export interface Chain {
  products: Map<string, Product>;
  /** Levels by store. */
  shelves: Map<string, Shelf[]>;
  unitsAtFirst: number;
}

export async function importChain(application: RunningApplication, say: (line: string) => void): Promise<void> {
  const { masterData, executor, engine, now, spoolFolder } = application;
  for (const { kind, file } of FILES) {
    const startedAt = performance.now();
    const report = await importCsv(
      { masterData, executor, engine, now, spoolFolder },
      {
        kind,
        hqId: HQ_ID,
        source: createReadStream(join(TOYS, file)),
        onError: 'stop',
        mapping: new Map(),
        provenance: DEMO,
      },
    );
    const [first] = report.refused;
    if (first !== undefined) throw new Error(`${file}, line ${first.line}: ${first.reason}`);
    say(
      `  ${kind.padEnd(9)}${report.imported.toLocaleString('en').padStart(6)}   ${Math.round(performance.now() - startedAt)} ms`,
    );
  }
}

export async function readChain({ catalog, history }: RunningApplication): Promise<Chain> {
  const { items } = await catalog.products(HQ_ID, { cursor: null, limit: 500 });
  const shelves = new Map<string, Shelf[]>();
  let unitsAtFirst = 0;
  let cursor: string | null = null;
  do {
    const page = await history.levels({ hqId: HQ_ID, cursor, limit: 500 });
    for (const { storeId, productId, onHand } of page.items) {
      const ofStore = shelves.get(storeId);
      const shelf = { storeId, productId, openedWith: onHand };
      if (ofStore === undefined) shelves.set(storeId, [shelf]);
      else ofStore.push(shelf);
      unitsAtFirst += onHand;
    }
    cursor = page.nextCursor;
  } while (cursor !== null);
  return { products: new Map(items.map((product) => [product.productId, product])), shelves, unitsAtFirst };
}
