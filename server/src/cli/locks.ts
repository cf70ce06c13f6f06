/** `holdfast locks`: who holds what. Asks the servers that keep the locks, so it works while no server of ours runs. */
import { lockHolders } from '../compose-locks.ts';
import type { LockHolder } from '../locking/lock.ts';
import { readLockValue } from '../locking/lock-value.ts';
import { redisOf } from './cluster-configuration.ts';
import { modeOf } from './configuration.ts';
import type { Environment } from './environment.ts';
import { lockServersOf } from './lock-servers.ts';

export interface LocksOptions {
  json?: boolean;
}

const EMBEDDED = 'Embedded mode has one process, which keeps its locks in memory: there is nobody to wait for.';

export async function showLocks(environment: Environment, { json }: LocksOptions): Promise<void> {
  const isCluster = modeOf(environment) === 'cluster';
  const holders = isCluster ? await lockHolders(lockServersOf(environment), redisOf(environment)) : [];
  if (json === true) process.stdout.write(`${JSON.stringify(holders)}\n`);
  else if (isCluster) process.stdout.write(writtenHolders(holders));
  if (!isCluster) process.stderr.write(`${EMBEDDED}\n`);
}

/** A line for each lock: key, node, since when, request, and what remains until it ends unless it is extended. */
export function writtenHolders(holders: readonly LockHolder[]): string {
  if (holders.length === 0) return 'Nobody holds a lock.\n';
  const rows = holders.map(({ key, value, remainingMs }) => {
    const read = readLockValue(value);
    const by = read === null ? [value] : [read.nodeId, new Date(read.timestampMs).toISOString(), read.requestId];
    return [key, ...by, remainingMs === null ? 'with its session' : `${(remainingMs / 1_000).toFixed(1)} s`];
  });
  return rows.map((row) => `${row.join('  ')}\n`).join('');
}
