import { transact } from '../../../ledger/mariadb/mariadb-transaction.ts';
import type { MariadbConnections } from '../../../ledger/mariadb/open-mariadb.ts';
import type { PartitionRow, PartitionStates, PartitionWait, SeenHead, WaitingPartition } from '../partition-states.ts';

const NOW_MS = 'cast(unix_timestamp(now(3)) * 1000 as signed)';

interface StateRow {
  partition: number;
  wait: PartitionWait;
  reason: string;
  sinceMs: number;
  seenEpoch: number;
  resumed: number;
}

interface ListRow extends StateRow {
  owner: string | null;
  epoch: number;
  seq: number;
}

const STATE_FIELDS = 's.wait, s.reason, s.since as sinceMs, s.seen_epoch as seenEpoch, s.resumed';

/** One row per partition that ever waited, beside the ledger's cursors, so that a backup holds both or neither. */
export class MariadbPartitionStates implements PartitionStates {
  readonly #connections: MariadbConnections;

  constructor(connections: MariadbConnections) {
    this.#connections = connections;
  }

  async waiting(): Promise<WaitingPartition[]> {
    const rows = await this.#connections.reader.read<StateRow>(
      `select s.partition_id as \`partition\`, ${STATE_FIELDS} from partition_states s
       where s.wait is not null order by s.partition_id`,
    );
    return rows.map(waitingOf);
  }

  /** One that waits already keeps its time, and the operator's word. */
  halt({ partition, epoch }: SeenHead, wait: PartitionWait, reason: string): Promise<boolean> {
    return transact(this.#connections.writer, async (connection) => {
      await connection.query('insert ignore into partition_states (partition_id) values (?)', [partition]);
      const { affectedRows } = await connection.query<{ affectedRows: number }>(
        `update partition_states
         set since = if(wait is null, ${NOW_MS}, since), resumed = if(wait is null, 0, resumed),
           seen_epoch = greatest(seen_epoch, ?), wait = ?, reason = ?
         where partition_id = ? and accepted_epoch <= ?`,
        [epoch, wait, reason, partition, epoch],
      );
      return affectedRows === 1;
    });
  }

  async rejectionsSince(partition: number, sinceMs: number): Promise<number> {
    const [row] = await this.#connections.reader.read<{ count: number }>(
      'select count(distinct epoch, at) as count from evidence where partition_id = ? and at >= ?',
      [partition, sinceMs],
    );
    return row?.count ?? 0;
  }

  resume(partition: number): Promise<boolean> {
    return transact(this.#connections.writer, async (connection) => {
      const { affectedRows } = await connection.query<{ affectedRows: number }>(
        'update partition_states set resumed = 1 where partition_id = ? and wait is not null',
        [partition],
      );
      return affectedRows === 1;
    });
  }

  async accepted(partition: number, epoch: number): Promise<void> {
    await transact(this.#connections.writer, (connection) =>
      connection.query(
        `update partition_states set wait = null, reason = null, since = null, resumed = 0, accepted_epoch = ?
         where partition_id = ?`,
        [epoch, partition],
      ),
    );
  }

  async list(): Promise<PartitionRow[]> {
    const rows = await this.#connections.reader.read<ListRow>(
      `select c.partition_id as \`partition\`, r.node_id as owner, c.epoch, c.seq, ${STATE_FIELDS}
       from cursors c
       join owners o on o.partition_id = c.partition_id
       left join recorders r on r.node_id = o.node_id and r.lease_until >= ${NOW_MS}
       left join partition_states s on s.partition_id = c.partition_id
       order by c.partition_id`,
    );
    return rows.map((row) => {
      const { partition, owner, epoch, seq } = row;
      return { partition, owner, epoch, seq, waiting: row.wait === null ? null : waitingOf(row) };
    });
  }
}

function waitingOf({ partition, wait, reason, sinceMs, seenEpoch, resumed }: StateRow): WaitingPartition {
  return { partition, wait, reason, sinceMs, seenEpoch, resumed: resumed === 1 };
}
