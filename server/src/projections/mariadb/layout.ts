/**
 * Which generation of which projection is read and which is being built, and how far: rows that every process reads
 * with its work. Cursors carry the number of their layout, so that a projector that has missed a switch finds its
 * compare-and-set refused instead of writing into tables that nobody reads any more.
 */
import type { Connection } from 'mariadb';
import type { ImageCursor } from '../../stock/stock-engine.ts';
import { isProjectionName, PROJECTION_NAMES, type ProjectionName, ProjectionsUnusable } from '../projection.ts';
import type { PartitionStop } from '../projection-store.ts';
import { namesOf, PROJECTIONS, type TableNames } from './projection-tables.ts';

export type TableState = 'serving' | 'building';

/** What is read, or what is being built: the tables, and where each partition stands in them. */
export interface TableGroup {
  state: TableState;
  layout: number;
  names: readonly ProjectionName[];
  generations: ReadonlyMap<ProjectionName, number>;
  tables: TableNames;
  /** By partition. */
  cursors: readonly ImageCursor[];
}

export interface Layout {
  serving: TableGroup;
  building: TableGroup | null;
  stops: PartitionStop[];
}

interface ProjectionRow {
  name: string;
  generation: number;
  state: TableState;
  version: number;
  layout: number;
}

interface CursorRow extends ImageCursor {
  state: TableState;
  stopKind: PartitionStop['kind'] | null;
  stopReason: string | null;
}

const PROJECTION_ROWS =
  "select name, generation, state, version, layout from projections where state in ('serving', 'building')";
const CURSOR_ROWS = `select state, partition_id as \`partition\`, seq, hash, at,
  stop_kind as stopKind, stop_reason as stopReason from projection_cursors order by state, partition_id`;

/** @throws ProjectionsUnusable when a newer version of Holdfast wrote what is read */
export async function readLayout(connection: Connection): Promise<Layout> {
  const [rows, cursors] = await Promise.all([
    connection.query<ProjectionRow[]>(PROJECTION_ROWS),
    connection.query<CursorRow[]>(CURSOR_ROWS),
  ]);
  const building = groupOf('building', rows, cursors);
  return {
    serving: groupOf('serving', rows, cursors),
    building: building.names.length === 0 ? null : building,
    stops: cursors.flatMap(({ partition, stopKind, stopReason }) =>
      stopKind === null ? [] : [{ partition, kind: stopKind, reason: stopReason ?? '' }],
    ),
  };
}

function groupOf(state: TableState, rows: readonly ProjectionRow[], cursors: readonly CursorRow[]): TableGroup {
  const own = rows.filter((row) => row.state === state);
  const generations = generationsOf(own);
  return {
    state,
    layout: Math.max(0, ...own.map(({ layout }) => layout)),
    names: PROJECTION_NAMES.filter((name) => generations.has(name)),
    generations,
    tables: namesOf(generations),
    cursors: cursors.filter((cursor) => cursor.state === state),
  };
}

/** Those of this program's versions; what a newer program builds is its own affair, what it serves is not. */
function generationsOf(rows: readonly ProjectionRow[]): Map<ProjectionName, number> {
  const generations = new Map<ProjectionName, number>();
  for (const { name, generation, version, state } of rows) {
    if (isProjectionName(name) && version === PROJECTIONS[name].version) generations.set(name, generation);
    else if (state === 'serving' && (!isProjectionName(name) || version > PROJECTIONS[name].version)) {
      throw new ProjectionsUnusable(
        'PROJECTIONS_TOO_NEW',
        `The projections in the database were written by a newer version of Holdfast: "${name}" is version ${version}. Start that version here as well.`,
      );
    }
  }
  return generations;
}

/** The tables that are read, as this transaction sees them; null: some projection is not there in this version yet. */
export async function readServingTables(connection: Connection): Promise<TableNames | null> {
  const rows = await connection.query<ProjectionRow[]>(PROJECTION_ROWS);
  const generations = generationsOf(rows.filter(({ state }) => state === 'serving'));
  return generations.size === PROJECTION_NAMES.length ? namesOf(generations) : null;
}
