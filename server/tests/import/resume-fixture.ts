/** Imports a file into the installation of a folder, and is killed by itself in the middle, commits under way. */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { importCsv } from '../../src/catalog/import/import-csv.ts';
import { Pipeline, PROVENANCE } from '../catalog/pipeline.ts';

const [folder, file, rowsUntilKilled] = process.argv.slice(2) as [string, string, string];
const pipeline = await Pipeline.open(folder);
const { masterData, executor, engine } = pipeline;
await importCsv(
  { masterData, executor, engine, now: Date.now, spoolFolder: join(folder, 'imports') },
  {
    kind: 'stock',
    hqId: 'HQ001',
    source: createReadStream(file),
    onError: 'stop',
    mapping: new Map(),
    provenance: PROVENANCE,
    onProgress: ({ phase, rows }) => {
      if (phase === 'importing' && rows >= Number(rowsUntilKilled)) process.kill(process.pid, 'SIGKILL');
    },
  },
);
