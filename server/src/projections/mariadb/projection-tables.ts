/**
 * The tables, as MariaDB has them. Each is of a generation, which its name carries: a rebuild fills tables of the next
 * one beside those that are read, and the switch is a change of rows, for a table cannot be renamed within a
 * transaction. Keys are the ids themselves, the partition first: whoever projects or reads one partition touches no
 * other's pages.
 */
import type { LeaseTables } from '../../ledger/mariadb/mariadb-ownership.ts';
import { AUDIT_VERSION } from '../audit.ts';
import { LEVELS_VERSION } from '../levels.ts';
import { MOVEMENTS_VERSION } from '../movements.ts';
import type { ProjectionName } from '../projection.ts';
import { RESERVATIONS_VERSION } from '../reservations.ts';
import { SETTINGS_VERSION } from '../settings.ts';

const ID = 'varchar(64) character set ascii collate ascii_bin not null';
const TEXT = 'character set utf8mb4 collate utf8mb4_nopad_bin not null';
const LEVEL = `partition_id int not null, hq_id ${ID}, store_id ${ID}, product_id ${ID}`;
const LEVEL_KEY = 'partition_id, hq_id, store_id, product_id';
const HOLD = `mediumtext character set ascii collate ascii_bin not null`;

interface ProjectionTables {
  version: number;
  /** Columns and keys by the name of the table. */
  tables: Readonly<Record<string, string>>;
}

export const PROJECTIONS: Readonly<Record<ProjectionName, ProjectionTables>> = {
  levels: {
    version: LEVELS_VERSION,
    tables: {
      levels: `${LEVEL},
        on_hand bigint not null check (on_hand >= 0),
        reserved bigint not null check (reserved >= 0),
        version bigint not null check (version > 0),
        safety_stock bigint, low_threshold bigint, counted_at bigint, count_seq bigint,
        updated_at bigint not null, updated_seq bigint not null,
        primary key (${LEVEL_KEY}),
        key by_product (partition_id, hq_id, product_id, store_id)`,
    },
  },
  movements: {
    version: MOVEMENTS_VERSION,
    tables: {
      movements: `${LEVEL}, seq bigint not null, line int not null, at bigint not null,
        on_hand_change bigint not null, reserved_change bigint not null,
        on_hand bigint not null check (on_hand >= 0),
        reserved bigint not null check (reserved >= 0),
        version bigint not null,
        primary key (${LEVEL_KEY}, seq, line)`,
      counts: `${LEVEL}, seq bigint not null, counted_at bigint not null, difference bigint not null,
        primary key (${LEVEL_KEY}, seq)`,
      movement_references: `partition_id int not null, hq_id ${ID}, reference varchar(500) ${TEXT}, seq bigint not null,
        primary key (partition_id, hq_id, reference, seq)`,
    },
  },
  reservations: {
    version: RESERVATIONS_VERSION,
    tables: {
      open_reservations: `partition_id int not null, reservation_id ${ID}, hq_id ${ID}, hold ${HOLD},
        primary key (partition_id, reservation_id)`,
      closed_reservations: `partition_id int not null, seq bigint not null, n int not null,
        reservation_key bigint not null, hq_id ${ID}, closed_at bigint not null, hold ${HOLD},
        primary key (partition_id, seq, n),
        key by_reservation (partition_id, reservation_key)`,
    },
  },
  audit: {
    version: AUDIT_VERSION,
    tables: {
      audit: `partition_id int not null, hq_id ${ID}, seq bigint not null, actor varchar(255) ${TEXT}, line_count int not null,
        primary key (partition_id, hq_id, seq),
        key by_actor (partition_id, hq_id, actor, seq)`,
    },
  },
  settings: {
    version: SETTINGS_VERSION,
    tables: {
      settings: `partition_id int not null, hq_id ${ID}, kind varchar(8) character set ascii collate ascii_bin not null,
        store_id ${ID}, product_id ${ID}, seq bigint not null, safety_stock bigint, low_threshold bigint,
        primary key (partition_id, hq_id, kind, store_id, product_id, seq)`,
    },
  },
};

/** The tables of one set of generations, by their names without them. */
export type TableNames = (table: string) => string;

/** @throws Error when a table is asked for whose projection has no generation here */
export function namesOf(generations: ReadonlyMap<ProjectionName, number>): TableNames {
  const names = new Map<string, string>();
  for (const [projection, generation] of generations) {
    for (const table of Object.keys(PROJECTIONS[projection].tables)) names.set(table, tableOf(table, generation));
  }
  return (table) => {
    const name = names.get(table);
    if (name === undefined) throw new Error(`there is no table ${table} yet`);
    return name;
  };
}

function tableOf(table: string, generation: number): string {
  return `projection_${table}_${generation}`;
}

/** Statements that create the tables of a projection, empty. */
export function createStatements(name: ProjectionName, generation: number): string[] {
  return Object.entries(PROJECTIONS[name].tables).flatMap(([table, columns]) => [
    `drop table if exists ${tableOf(table, generation)}`,
    `create table ${tableOf(table, generation)} (${columns}) engine = InnoDB row_format = dynamic`,
  ]);
}

export function dropStatements(name: ProjectionName, generation: number): string[] {
  return Object.keys(PROJECTIONS[name].tables).map((table) => `drop table if exists ${tableOf(table, generation)}`);
}

/** Who projects which partitions. */
export const PROJECTING: LeaseTables = { owners: 'projection_owners', nodes: 'projectors' };

/**
 * What all generations share. `state` is `serving`, `building` or `retired`. The layout of what is read is the highest
 * `layout` of its projections, so that one statement tells both; of what is being built, its generation.
 */
export const SHARED_TABLES = [
  `create table if not exists projections (
    name varchar(32) character set ascii collate ascii_bin not null,
    generation int not null,
    state varchar(16) character set ascii collate ascii_bin not null,
    version int not null,
    layout int not null,
    changed_at bigint not null,
    primary key (name, generation)
  ) engine = InnoDB`,
  `create table if not exists projection_cursors (
    state varchar(16) character set ascii collate ascii_bin not null,
    partition_id int not null,
    layout int not null,
    seq bigint not null,
    hash varchar(64) character set ascii collate ascii_bin not null,
    at bigint not null,
    stop_kind varchar(32) character set ascii collate ascii_bin,
    stop_reason text character set utf8mb4,
    primary key (state, partition_id)
  ) engine = InnoDB`,
  `create table if not exists projection_owners (
    partition_id int not null primary key,
    node_id varchar(64) character set ascii collate ascii_bin
  ) engine = InnoDB`,
  `create table if not exists projectors (
    node_id varchar(64) character set ascii collate ascii_bin not null primary key,
    lease_until bigint not null
  ) engine = InnoDB`,
  `create table if not exists projection_rebuilds (
    rebuild_id int not null auto_increment primary key,
    names varchar(255) character set ascii collate ascii_bin not null,
    state varchar(16) character set ascii collate ascii_bin not null,
    failure text character set utf8mb4
  ) engine = InnoDB`,
];
