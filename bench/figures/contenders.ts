/** The sides of the comparisons, each in a fresh process on a fresh folder every round. */
import type { BenchContext, Contender } from '../harness/benchmark.ts';
import { MeasuredProcess } from '../harness/child-process.ts';
import type { Sample } from '../harness/sample.ts';
import type { LoadShape } from '../load/closed-loop.ts';
import { ONE_HOT_PRODUCT, type Stock } from '../subjects/stock.ts';
import type { Workload } from '../subjects/workloads.ts';

export const EMBEDDED = new URL('../subjects/embedded.ts', import.meta.url);
const ONE_TRANSACTION_EACH = new URL('../references/one-transaction-each.ts', import.meta.url);

export interface EmbeddedLoad {
  name: string;
  workload: Workload;
  inFlight: number;
  unit?: string;
  stock?: Stock;
  /** The folder holds the stock already. */
  filled?: boolean;
}

export function shapeOf({ warmUpMs, measureMs }: BenchContext, inFlight: number): LoadShape {
  return { inFlight, warmUpMs, measureMs };
}

/** An embedded installation under a closed loop of callers in its own process. */
export function embedded(context: BenchContext, load: EmbeddedLoad): Contender {
  return {
    name: load.name,
    unit: load.unit ?? 'reservations',
    measure: () => measureOn(context, context.newFolder('embedded'), load),
  };
}

/** Measures on this folder, filled already or to be filled with the load's stock, and removes it. */
export async function measureOn(context: BenchContext, folder: string, load: EmbeddedLoad): Promise<Sample> {
  const { name, workload, inFlight, stock = ONE_HOT_PRODUCT, filled = false } = load;
  const subject = MeasuredProcess.start(EMBEDDED, { profiling: context.profiling(name) });
  try {
    await subject.call('open', folder);
    if (!filled) await subject.call('stockUp', stock);
    return await subject.call<Sample>('measure', workload, stock, shapeOf(context, inFlight));
  } finally {
    await subject.stop();
    context.removeFolder(folder);
  }
}

export function oneTransactionEach(context: BenchContext, inFlight: number): Contender {
  return {
    name: `one SQLite transaction each, ${inFlight} in flight`,
    unit: 'reservations',
    async measure() {
      const folder = context.newFolder('reference');
      const reference = MeasuredProcess.start(ONE_TRANSACTION_EACH);
      try {
        return await reference.call<Sample>('measure', folder, shapeOf(context, inFlight));
      } finally {
        await reference.stop();
        context.removeFolder(folder);
      }
    },
  };
}
