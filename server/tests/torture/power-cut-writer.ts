/** A process that reserves without end over the real ledger and prints every operation id that was acknowledged. */
import { requestedEngines } from '../conformance/engine-adapters.ts';
import { Pipeline } from '../conformance/pipeline.ts';
import { reserving } from './reserving.ts';

const [folder = '', synchronous = 'FULL'] = process.argv.slice(2);
const [adapter] = requestedEngines();
if (adapter === undefined) throw new Error('this run tests no engine');
const pipeline = new Pipeline(adapter, { folder, synchronous: synchronous as 'FULL' | 'NORMAL' | 'OFF' });
await pipeline.start();
await reserving(pipeline, (operationId) => process.stdout.write(`${operationId}\n`));
