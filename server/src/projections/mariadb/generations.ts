/**
 * Creates, switches and drops generations of tables. One process at a time changes them (a named lock of the
 * database); each change is one transaction of rows, with the tables made before it and dropped long after it.
 */
import type { Connection } from 'mariadb';
import { genesisHash } from '../../ledger/chain.ts';
import type { MariadbPool } from '../../ledger/mariadb/mariadb-pool.ts';
import { PARTITION_COUNT } from '../../stock/limits.ts';
import { PROJECTION_NAMES, type ProjectionName } from '../projection.ts';
import type { RebuildProgress } from '../projection-store.ts';
import { readLayout, type TableGroup, type TableState } from './layout.ts';
import { createStatements, dropStatements, PROJECTING, PROJECTIONS, SHARED_TABLES } from './projection-tables.ts';

const LOCK_SECONDS = 10;
/** Time for tables to be created or dropped, whatever else the database does. */
const CHANGE_MS_MAX = 60_000;
/** Whoever began to read retired tables has finished by then. */
const RETIRED_MS = 60_000;

export interface GenerationsParts {
  /** With autocommit. */
  pool: MariadbPool;
  installationId: string;
  now: () => number;
}

export class Generations {
  readonly #parts: GenerationsParts;

  constructor(parts: GenerationsParts) {
    this.#parts = parts;
  }

  /**
   * Creates what is missing; what has another version is built anew, beside the older.
   * @returns the projections that are built anew
   * @throws ProjectionsUnusable when a newer version wrote them
   */
  prepare(): Promise<readonly ProjectionName[]> {
    return this.#exclusively(async (connection) => {
      for (const statement of SHARED_TABLES) await connection.query(statement);
      await connection.batch(
        `insert ignore into ${PROJECTING.owners} (partition_id) values (?)`,
        Array.from({ length: PARTITION_COUNT }, (_, partition) => [partition]),
      );
      const { serving, building } = await readLayout(connection);
      const outdated = PROJECTION_NAMES.filter((name) => !serving.names.includes(name));
      if (serving.cursors.length === 0) await this.#create(connection, 'serving', outdated);
      else if (outdated.length > 0 && building === null) await this.#rebuild(connection, outdated);
      return serving.cursors.length === 0 ? [] : outdated;
    });
  }

  /** @throws Error when a rebuild is under way */
  startRebuild(names: readonly ProjectionName[]): Promise<void> {
    return this.#exclusively(async (connection) => {
      const rows = await connection.query<{ name: string }[]>("select name from projections where state = 'building'");
      if (rows.length > 0) throw new Error(`a rebuild of ${rows.map(({ name }) => name).join(', ')} is under way`);
      await this.#rebuild(connection, names);
    });
  }

  async #rebuild(connection: Connection, names: readonly ProjectionName[]): Promise<void> {
    await this.#discardBuilding(connection);
    await this.#create(connection, 'building', names);
  }

  /** Rows last: tables without rows are created anew by whoever comes next. */
  async #create(connection: Connection, state: TableState, names: readonly ProjectionName[]): Promise<void> {
    const [{ last } = { last: 0 }] = await connection.query<{ last: number }[]>(
      'select coalesce(max(generation), 0) as last from projections',
    );
    const generation = last + 1;
    for (const name of names)
      for (const statement of createStatements(name, generation)) await connection.query(statement);
    const { installationId, now } = this.#parts;
    await connection.beginTransaction();
    await connection.batch(
      'insert into projections (name, generation, state, version, layout, changed_at) values (?, ?, ?, ?, ?, ?)',
      names.map((name) => [name, generation, state, PROJECTIONS[name].version, generation, now()]),
    );
    await connection.batch(
      'insert into projection_cursors (state, partition_id, layout, seq, hash, at) values (?, ?, ?, 0, ?, 0)',
      Array.from({ length: PARTITION_COUNT }, (_, partition) => [
        state,
        partition,
        generation,
        genesisHash(installationId, partition),
      ]),
    );
    if (state === 'building') {
      await connection.query("insert into projection_rebuilds (names, state) values (?, 'building')", [
        names.join(','),
      ]);
    }
    await connection.commit();
  }

  /**
   * What was built takes the place of what was read, in the transaction of whoever holds all cursors and has brought
   * them level.
   */
  async switch(connection: Connection, serving: TableGroup, building: TableGroup): Promise<void> {
    const names = [...building.names];
    const now = this.#parts.now();
    await connection.query(
      "update projections set state = 'retired', changed_at = ? where state = 'serving' and name in (?)",
      [now, names],
    );
    await connection.query(
      "update projections set state = 'serving', layout = ?, changed_at = ? where state = 'building' and name in (?)",
      [building.layout, now, names],
    );
    await connection.query(
      `update projection_cursors set layout = ?,
         stop_reason = if(stop_kind = 'mismatch', null, stop_reason), stop_kind = nullif(stop_kind, 'mismatch')
       where state = 'serving' and layout = ?`,
      [building.layout, serving.layout],
    );
    await connection.query("delete from projection_cursors where state = 'building'");
    await connection.query("update projection_rebuilds set state = 'done' where state = 'building'");
  }

  /** The entries contradict themselves: what is read stays. */
  async abandon(failure: string): Promise<void> {
    await this.#exclusively(async (connection) => {
      await connection.beginTransaction();
      await connection.query("update projection_rebuilds set state = 'failed', failure = ? where state = 'building'", [
        failure,
      ]);
      await this.#discardBuilding(connection);
      await connection.commit();
    });
  }

  async #discardBuilding(connection: Connection): Promise<void> {
    await connection.query("update projections set state = 'retired', changed_at = ? where state = 'building'", [
      this.#parts.now(),
    ]);
    await connection.query("delete from projection_cursors where state = 'building'");
    await connection.query(
      "update projection_rebuilds set state = 'failed', failure = 'another took its place' where state = 'building'",
    );
  }

  /** Of the last rebuild; `done` and `total` in entries. */
  async progress(): Promise<RebuildProgress> {
    return await this.#parts.pool.use(async (connection) => {
      const [rebuilds, sums] = await Promise.all([
        connection.query<{ names: string; state: string; failure: string | null }[]>(
          'select names, state, failure from projection_rebuilds order by rebuild_id desc limit 1',
        ),
        connection.query<{ state: TableState; entries: number }[]>(
          'select state, cast(sum(seq) as signed) as entries from projection_cursors group by state',
        ),
      ]);
      const [rebuild] = rebuilds;
      const total = sums.find(({ state }) => state === 'serving')?.entries ?? 0;
      const isBuilding = rebuild?.state === 'building';
      return {
        building: isBuilding ? (rebuild.names.split(',') as ProjectionName[]) : [],
        done: isBuilding ? (sums.find(({ state }) => state === 'building')?.entries ?? 0) : total,
        total,
        failure: rebuild?.failure ?? null,
      };
    });
  }

  /** Drops tables that nobody reads any more. */
  async dropRetired(): Promise<void> {
    const { pool, now } = this.#parts;
    const query = "select name, generation from projections where state = 'retired' and changed_at < ?";
    const before = now() - RETIRED_MS;
    if ((await pool.read(query, [before])).length === 0) return;
    await this.#exclusively(async (connection) => {
      const rows = await connection.query<{ name: ProjectionName; generation: number }[]>(query, [before]);
      for (const { name, generation } of rows) {
        for (const statement of dropStatements(name, generation)) await connection.query(statement);
        await connection.query("delete from projections where name = ? and generation = ? and state = 'retired'", [
          name,
          generation,
        ]);
      }
    });
  }

  async #exclusively<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    return await this.#parts.pool.use(async (connection) => {
      const [{ locked } = { locked: 0 }] = await connection.query<{ locked: number | null }[]>(
        "select get_lock(concat(database(), '.projections'), ?) as locked",
        [LOCK_SECONDS],
      );
      if (locked !== 1) throw new Error('another process changes the tables of the projections; try again');
      try {
        return await work(connection);
      } finally {
        await connection.query("do release_lock(concat(database(), '.projections'))");
      }
    }, CHANGE_MS_MAX);
  }
}
