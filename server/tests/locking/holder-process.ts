/**
 * A process of its own that takes a key, extends it and says what becomes of it, one line each:
 * `held <fencing token>`, `lost`, `released`. A line on stdin makes it give the key back, whether it was lost or not.
 */
import { type Acquisition, Locks } from '../../src/locking/locks.ts';
import { type LockAddress, openLock } from './lock-adapters.ts';
import { observed } from './observed.ts';

const [address = '', key = '', ttl] = process.argv.slice(2);
const lock = await openLock(JSON.parse(address) as LockAddress);
const locks = new Locks({ lock, nodeId: `holder-${process.pid}`, observer: observed().observer });
const acquisition: Acquisition = await locks.acquire([key], { ttlMs: Number(ttl), tries: 20 });
if (acquisition.status !== 'held') throw new Error(`${key} is held by somebody else`);
const { held } = acquisition;
held.signal.addEventListener('abort', () => console.log('lost'));
console.log(`held ${held.fencingToken(key)}`);
process.stdin.once('data', async () => {
  await held.release();
  console.log('released');
  await lock.close();
  process.exit();
});
