import type { Connection } from 'mariadb';
import type { PartitionOwnership } from '../shared-ledger.ts';
import type { MariadbPool } from './mariadb-pool.ts';
import { transact } from './mariadb-transaction.ts';

/** Four times as long as the half second in which recorders renew. */
const LEASE_MS = 2_000;
/** A lease that is renewed later than this is lost anyway. */
const RENEW_MS_MAX = 1_500;
/** Rows of recorders that ended without saying so are kept for whoever looks into it. */
const FORGET_MS = 86_400_000;
/** The database's time, the same for all who ask it: clocks of nodes may differ. */
const NOW_MS = 'cast(unix_timestamp(now(3)) * 1000 as signed)';

/** Where the leases of one kind of work are kept. */
export interface LeaseTables {
  /** `partition_id`, `node_id`: a row for each partition. */
  owners: string;
  /** `node_id`, `lease_until`. */
  nodes: string;
}

const RECORDING: LeaseTables = { owners: 'owners', nodes: 'recorders' };

/**
 * A recorder's lease is one row, its partitions are others: a partition is free when it has no owner, or when its
 * owner's lease has run out. All of them are locked first of all, so that nodes take turns and the shares add up.
 */
export class MariadbOwnership implements PartitionOwnership {
  readonly #writer: MariadbPool;
  readonly #nodeId: string;
  readonly #tables: LeaseTables;

  /** @param nodeId of this process and no other, also none before it */
  constructor(writer: MariadbPool, nodeId: string, tables = RECORDING) {
    this.#writer = writer;
    this.#nodeId = nodeId;
    this.#tables = tables;
  }

  renew(): Promise<number[]> {
    return transact(this.#writer, (connection) => this.#renew(connection), RENEW_MS_MAX);
  }

  async #renew(connection: Connection): Promise<number[]> {
    const tables = this.#tables;
    const owners = await connection.query<{ partition_id: number; node_id: string | null }[]>(
      `select partition_id, node_id from ${tables.owners} order by partition_id for update`,
    );
    await connection.query(
      `insert into ${tables.nodes} (node_id, lease_until) values (?, ${NOW_MS} + ${LEASE_MS})
       on duplicate key update lease_until = ${NOW_MS} + ${LEASE_MS}`,
      [this.#nodeId],
    );
    const living = await connection.query<{ node_id: string }[]>(
      `select node_id from ${tables.nodes} where lease_until >= ${NOW_MS}`,
    );
    const alive = new Set([this.#nodeId, ...living.map(({ node_id }) => node_id)]);
    const share = Math.ceil(owners.length / alive.size);
    const mine = owners.filter(({ node_id }) => node_id === this.#nodeId).map(({ partition_id }) => partition_id);
    const free = owners.filter(({ node_id }) => node_id === null || !alive.has(node_id));
    const taken = free.slice(0, Math.max(0, share - mine.length)).map(({ partition_id }) => partition_id);
    await this.#setOwner(connection, this.#nodeId, taken);
    await this.#setOwner(connection, null, mine.slice(share));
    await connection.query(`delete from ${tables.nodes} where lease_until < ${NOW_MS} - ${FORGET_MS}`);
    return [...mine.slice(0, share), ...taken].sort((one, other) => one - other);
  }

  async leave(): Promise<void> {
    await transact(
      this.#writer,
      async (connection) => {
        const { owners, nodes } = this.#tables;
        await connection.query(`select partition_id from ${owners} order by partition_id for update`);
        await connection.query(`update ${owners} set node_id = null where node_id = ?`, [this.#nodeId]);
        await connection.query(`delete from ${nodes} where node_id = ?`, [this.#nodeId]);
      },
      RENEW_MS_MAX,
    );
  }

  async #setOwner(connection: Connection, nodeId: string | null, partitions: readonly number[]): Promise<void> {
    if (partitions.length === 0) return;
    const places = partitions.map(() => '?').join(', ');
    await connection.query(`update ${this.#tables.owners} set node_id = ? where partition_id in (${places})`, [
      nodeId,
      ...partitions,
    ]);
  }
}
