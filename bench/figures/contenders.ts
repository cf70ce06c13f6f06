/** The sides of the comparisons, each in a fresh process on a fresh folder every round. */
import type { BenchContext, Contender } from '../harness/benchmark.ts';
import { MeasuredProcess } from '../harness/child-process.ts';
import type { Sample } from '../harness/sample.ts';
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
}

/** An embedded installation under a closed loop of callers in its own process. */
export function embedded(context: BenchContext, load: EmbeddedLoad): Contender {
  const { name, workload, inFlight, unit = 'reservations', stock = ONE_HOT_PRODUCT } = load;
  return {
    name,
    unit,
    async measure() {
      const folder = context.newFolder('embedded');
      const subject = MeasuredProcess.start(EMBEDDED, context.profiling(name));
      try {
        await subject.call('open', folder);
        await subject.call('stockUp', stock);
        const shape = { inFlight, warmUpMs: context.warmUpMs, measureMs: context.measureMs };
        return await subject.call<Sample>('measure', workload, stock, shape);
      } finally {
        await subject.stop();
        context.removeFolder(folder);
      }
    },
  };
}

export function oneTransactionEach(context: BenchContext, inFlight: number): Contender {
  return {
    name: `one SQLite transaction each, ${inFlight} in flight`,
    unit: 'reservations',
    async measure() {
      const folder = context.newFolder('reference');
      const reference = MeasuredProcess.start(ONE_TRANSACTION_EACH);
      try {
        const shape = { inFlight, warmUpMs: context.warmUpMs, measureMs: context.measureMs };
        return await reference.call<Sample>('measure', folder, shape);
      } finally {
        await reference.stop();
        context.removeFolder(folder);
      }
    },
  };
}
