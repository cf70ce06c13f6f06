/** What `holdfast partitions` needs of an installation: its database alone. */
import { MariadbLedger } from './ledger/mariadb/mariadb-ledger.ts';
import type { MariadbAccess } from './ledger/mariadb/mariadb-pool.ts';
import { MariadbPartitionStates } from './recording/cluster/mariadb/mariadb-partition-states.ts';
import type { PartitionStates } from './recording/cluster/partition-states.ts';

/** @throws LedgerUnusable with what is wrong with the database and what to do about it */
export async function withPartitionStates<T>(
  access: MariadbAccess,
  work: (states: PartitionStates) => Promise<T>,
): Promise<T> {
  const ledger = await MariadbLedger.open(access);
  try {
    return await work(new MariadbPartitionStates(ledger.connections));
  } finally {
    await ledger.close();
  }
}
