/** `holdfast partitions`: who records what, and the operator's word for a partition that waits. */
import { withPartitionStates } from '../compose-partitions.ts';
import type { PartitionRow } from '../recording/cluster/partition-states.ts';
import { PARTITION_COUNT } from '../stock/limits.ts';
import { databaseOf } from './cluster-configuration.ts';
import { modeOf } from './configuration.ts';
import type { Environment } from './environment.ts';
import { CommandFailed, UsageError } from './failures.ts';

export interface PartitionsOptions {
  json?: boolean;
}

interface PartitionsCall extends PartitionsOptions {
  action: 'list' | 'resume';
  partition: string | undefined;
}

const EMBEDDED = 'Embedded mode has one process, which records every partition: there is nobody to ask.';

export async function partitions(environment: Environment, { action, partition, json }: PartitionsCall): Promise<void> {
  const resumed = action === 'resume' ? partitionOf(partition) : null;
  if (modeOf(environment) !== 'cluster') {
    if (json === true) process.stdout.write('[]\n');
    process.stderr.write(`${EMBEDDED}\n`);
    return;
  }
  await withPartitionStates(databaseOf(environment), async (states) => {
    if (resumed !== null && !(await states.resume(resumed))) {
      throw new CommandFailed(
        `Partition ${resumed} does not wait for an operator; holdfast partitions shows which do.`,
      );
    }
    const rows = await states.list();
    if (json === true) process.stdout.write(`${JSON.stringify(rows)}\n`);
    else if (resumed === null) process.stdout.write(writtenPartitions(rows));
    else
      process.stdout.write(
        `Partition ${resumed} goes on from the ledger as it is, as soon as its recorder has filled its engine.\n`,
      );
  });
}

function partitionOf(text: string | undefined): number {
  const partition = Number(text);
  if (text !== undefined && Number.isInteger(partition) && partition >= 0 && partition < PARTITION_COUNT)
    return partition;
  throw new UsageError(`holdfast partitions resume needs the number of a partition, 0 to ${PARTITION_COUNT - 1}.`);
}

/** A line for each partition: number, owner, epoch, last recorded entry, state, and why it waits. */
export function writtenPartitions(rows: readonly PartitionRow[]): string {
  const lines = rows.map((row) => {
    const { partition, owner, epoch, seq, waiting } = row;
    const told = [`${partition}`.padStart(2), owner ?? '-', `epoch ${epoch}`, `entry ${seq}`, stateOf(row)];
    return (
      waiting === null ? told : [...told, `since ${new Date(waiting.sinceMs).toISOString()}`, waiting.reason]
    ).join('  ');
  });
  return `${lines.join('\n')}\n`;
}

function stateOf({ owner, waiting }: PartitionRow): string {
  if (waiting === null) return owner === null ? 'nobody records it' : 'recorded';
  return waiting.resumed ? `resuming (${waiting.wait})` : `waits (${waiting.wait})`;
}
