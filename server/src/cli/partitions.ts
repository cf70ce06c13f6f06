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
  const resumed = action === 'resume' ? partitionsOf(partition) : [];
  if (modeOf(environment) !== 'cluster') {
    if (json === true) process.stdout.write('[]\n');
    process.stderr.write(`${EMBEDDED}\n`);
    return;
  }
  await withPartitionStates(databaseOf(environment), async (states) => {
    const done: number[] = [];
    for (const each of resumed) if (await states.resume(each)) done.push(each);
    if (resumed.length > 0 && done.length === 0) throw new CommandFailed(notWaiting(resumed));
    const rows = await states.list();
    if (json === true) process.stdout.write(`${JSON.stringify(rows)}\n`);
    else if (resumed.length === 0) process.stdout.write(writtenPartitions(rows));
    else process.stdout.write(writtenResumed(done));
  });
}

function notWaiting(partitions: readonly number[]): string {
  const [one, ...others] = partitions;
  const which = others.length === 0 ? `Partition ${one} does not wait` : 'No partition waits';
  return `${which} for an operator; holdfast partitions shows which do.`;
}

function writtenResumed(partitions: readonly number[]): string {
  const [one, ...others] = partitions;
  return others.length === 0
    ? `Partition ${one} goes on from the ledger as it is, as soon as its recorder has filled its engine.\n`
    : `Partitions ${partitions.join(', ')} go on from the ledger as it is, as soon as their recorders have filled their engines.\n`;
}

function partitionsOf(text: string | undefined): number[] {
  if (text === 'all') return Array.from({ length: PARTITION_COUNT }, (_, partition) => partition);
  const partition = Number(text);
  if (text !== undefined && Number.isInteger(partition) && partition >= 0 && partition < PARTITION_COUNT)
    return [partition];
  throw new UsageError(
    `holdfast partitions resume needs the number of a partition, 0 to ${PARTITION_COUNT - 1}, or all.`,
  );
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
