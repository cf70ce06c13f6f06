/** A process that imports CSV files through the real importer into a real installation. */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import type { RunningApplication } from '../../server/src/application.ts';
import { importCsv } from '../../server/src/catalog/import/import-csv.ts';
import { serveCalls } from '../harness/child-process.ts';
import { ProcessWatch, type Sample } from '../harness/sample.ts';
import { execute, type Installation, installationOf, openRunning, PROVENANCE } from './installation.ts';
import { HQ, productId, type Stock, storeId } from './stock.ts';

const MEMORY_EVERY_MS = 50;
const BYTES_PER_MIB = 1024 * 1024;
const UNSET = { safetyStock: null, lowThreshold: null };
const MAPPING = new Map([['Stock_On_Hand', 'quantity']]);

interface Opened {
  application: RunningApplication;
  installation: Installation;
  folder: string;
}

let opened: Opened | null = null;

function open(): Opened {
  if (opened === null) throw new Error('no installation is open');
  return opened;
}

function resident(): number {
  return process.memoryUsage.rss() / BYTES_PER_MIB;
}

serveCalls(
  {
    async open(folder: string, stock: Stock): Promise<void> {
      const application = await openRunning(folder);
      const installation = installationOf(application);
      opened = { application, installation, folder };
      const known: Promise<unknown>[] = [];
      for (let store = 0; store < stock.stores; store += 1) {
        known.push(execute(installation, { type: 'configure-store', storeId: storeId(store), settings: UNSET }, null));
      }
      for (let product = 0; product < stock.products; product += 1) {
        known.push(
          execute(installation, { type: 'configure-product', productId: productId(product), settings: UNSET }, null),
        );
      }
      await Promise.all(known);
    },
    /** Imports the file; `notes` tell how much memory that took at its peak. */
    async importFile(file: string): Promise<Sample> {
      const { application, folder } = open();
      const before = resident();
      let peak = before;
      const sampling = setInterval(() => {
        peak = Math.max(peak, resident());
      }, MEMORY_EVERY_MS);
      const watch = new ProcessWatch();
      watch.start();
      const report = await importCsv(
        { ...application, spoolFolder: join(folder, 'spool') },
        {
          kind: 'stock',
          hqId: HQ,
          source: createReadStream(file),
          onError: 'stop',
          mapping: MAPPING,
          provenance: PROVENANCE,
        },
      );
      const seen = watch.stop();
      clearInterval(sampling);
      if (!report.applied || report.imported !== report.rows)
        throw new Error(`the import ended with ${JSON.stringify(report)}`);
      const notes = { 'resident before, MiB': before, 'resident at the peak, MiB': peak };
      return {
        ...seen,
        units: report.rows,
        perSecond: report.rows / seen.seconds,
        latencyCounts: null,
        residentMiB: peak,
        notes,
      };
    },
  },
  async () => {
    await opened?.application.stop();
    process.exit(0);
  },
);
