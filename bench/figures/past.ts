import { statfsSync } from 'node:fs';
import type { BenchContext } from '../harness/benchmark.ts';
import { MeasuredProcess } from '../harness/child-process.ts';
import { showRate } from '../harness/format.ts';
import type { Stock } from '../subjects/stock.ts';

const HISTORY = new URL('../subjects/history.ts', import.meta.url);
const STEP = 500_000;
/** Of an entry with all that is derived from it; rather too much. */
const BYTES_PER_ENTRY = 3_000;

/** A data folder whose ledger holds this many entries; projected, unless the benchmark wants to see that. */
export async function pastOf(context: BenchContext, entries: number, stock: Stock, project = true): Promise<string> {
  const folder = context.newFolder('past');
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < entries * BYTES_PER_ENTRY)
    throw new Error(`too little disk for ${entries} entries; --max-entries takes fewer`);
  const filler = MeasuredProcess.start(HISTORY);
  try {
    await filler.call('begin', folder, entries, stock);
    for (let done = 0; done < entries; ) {
      done = Math.min(entries, done + STEP);
      await filler.call('sellUntil', done, stock);
      context.tell(`a past of ${showRate(done)} of ${showRate(entries)} entries`);
    }
    await filler.call('end');
    if (project) {
      context.tell('projecting it');
      await filler.call('project', folder, entries);
    }
  } finally {
    await filler.stop();
  }
  return folder;
}
