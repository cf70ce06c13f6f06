/** The projected rows of some entries of one partition, all of a kind read by one statement. */
import type { Connection } from 'mariadb';
import type { TableNames } from '../../projections/mariadb/projection-tables.ts';
import { referencesOf } from '../../projections/movements.ts';
import { type SettingChange, settingChangeOf } from '../../projections/settings.ts';
import { changesOf, type Entry } from '../../stock/entry.ts';
import type { EntryRows, LevelPlace } from '../walk-source.ts';

interface AuditRow {
  hqId: string;
  seq: number;
  subject: string;
  lines: number;
}

interface MovementRow extends LevelPlace {
  hqId: string;
  seq: number;
  line: number;
}

interface ReferenceRow {
  hqId: string;
  reference: string;
  seq: number;
}

interface SettingRow extends LevelPlace {
  hqId: string;
  kind: string;
  seq: number;
}

interface ClosedRow {
  seq: number;
  n: number;
  hold: string;
  closedAt: number;
}

/** `entries`: of one partition, in order. */
export async function readEntryRows(
  connection: Connection,
  tables: TableNames,
  entries: readonly Entry[],
): Promise<EntryRows> {
  const partition = entries[0]?.partition ?? 0;
  const range = [partition, entries[0]?.seq ?? 0, entries.at(-1)?.seq ?? 0];
  const between = 'partition_id = ? and seq >= ? and seq <= ?';
  const keys = keysOf(entries);
  const ofLevels = (table: string, columns: string) =>
    connection.query<MovementRow[]>(
      `select t.hq_id as hqId, t.store_id as storeId, t.product_id as productId, t.seq, ${columns}
       from ${LEVEL_KEYS} straight_join ${tables(table)} t on t.partition_id = ? and t.hq_id = k.hq_id
         and t.store_id = k.store_id and t.product_id = k.product_id and t.seq >= ? and t.seq <= ?`,
      [keys.levels, ...range],
    );
  const hqs = [...new Set(entries.map(({ hqId }) => hqId))];
  const [audit, movements, counts, references, settings, closed] = await Promise.all([
    connection.query<AuditRow[]>(
      `select hq_id as hqId, seq, actor as subject, line_count as \`lines\` from ${tables('audit')}
       where hq_id in (?) and ${between}`,
      [hqs, ...range],
    ),
    ofLevels(
      'movements',
      `t.line, t.at, t.on_hand_change as onHandChange, t.reserved_change as reservedChange, t.on_hand as onHand,
       t.reserved, t.version`,
    ),
    ofLevels('counts', '0 as line, t.counted_at as countedAt, t.difference'),
    connection.query<ReferenceRow[]>(
      `select t.hq_id as hqId, t.reference, t.seq from ${REFERENCE_KEYS} straight_join ${tables('movement_references')} t
         on t.partition_id = ? and t.hq_id = k.hq_id and t.reference = k.reference and t.seq = k.seq`,
      [keys.references, partition],
    ),
    connection.query<SettingRow[]>(
      `select t.hq_id as hqId, t.kind, t.store_id as storeId, t.product_id as productId, t.seq,
         t.safety_stock as safetyStock, t.low_threshold as lowThreshold
       from ${SETTING_KEYS} straight_join ${tables('settings')} t on t.partition_id = ? and t.hq_id = k.hq_id
         and t.kind = k.kind and t.store_id = k.store_id and t.product_id = k.product_id and t.seq = k.seq`,
      [keys.settings, partition],
    ),
    connection.query<ClosedRow[]>(
      `select seq, n, hold, closed_at as closedAt from ${tables('closed_reservations')} where ${between}`,
      range,
    ),
  ]);
  return new ReadRows({ audit, movements, counts, references, settings, closed });
}

const ASCII = 'character set ascii collate ascii_bin';
const ID_COLUMN = `varchar(64) ${ASCII}`;
const LEVEL_KEYS = `json_table(?, '$[*]' columns (hq_id ${ID_COLUMN} path '$[0]', store_id ${ID_COLUMN} path '$[1]',
  product_id ${ID_COLUMN} path '$[2]')) k`;
const REFERENCE_KEYS = `json_table(?, '$[*]' columns (hq_id ${ID_COLUMN} path '$[0]', seq bigint path '$[1]',
  reference varchar(500) character set utf8mb4 collate utf8mb4_nopad_bin path '$[2]')) k`;
const SETTING_KEYS = `json_table(?, '$[*]' columns (hq_id ${ID_COLUMN} path '$[0]', seq bigint path '$[1]',
  kind varchar(8) ${ASCII} path '$[2]', store_id ${ID_COLUMN} path '$[3]', product_id ${ID_COLUMN} path '$[4]')) k`;

/** What the rows of these entries are looked up by. */
function keysOf(entries: readonly Entry[]): { levels: string; references: string; settings: string } {
  const levels = new Map<string, string[]>();
  const references: [string, number, string][] = [];
  const settings: [string, number, string, string, string][] = [];
  for (const entry of entries) {
    const { hqId, seq } = entry;
    const changes = changesOf(entry);
    for (const { after } of changes) levels.set(levelKey(hqId, after), [hqId, after.storeId, after.productId]);
    for (const reference of referencesOf(entry, changes)) references.push([hqId, seq, reference]);
    const setting = settingChangeOf(entry);
    if (setting !== null) settings.push([hqId, seq, setting.kind, setting.storeId, setting.productId]);
  }
  return {
    levels: JSON.stringify([...levels.values()]),
    references: JSON.stringify(references),
    settings: JSON.stringify(settings),
  };
}

class ReadRows implements EntryRows {
  readonly #audit: Map<string, AuditRow>;
  readonly #movements: Map<string, MovementRow>;
  readonly #counts: Map<string, MovementRow>;
  readonly #references: Set<string>;
  readonly #settings: Map<string, SettingRow>;
  readonly #closed: Map<string, ClosedRow>;

  constructor(rows: {
    audit: AuditRow[];
    movements: MovementRow[];
    counts: MovementRow[];
    references: ReferenceRow[];
    settings: SettingRow[];
    closed: ClosedRow[];
  }) {
    this.#audit = new Map(rows.audit.map((row) => [`${row.hqId}/${row.seq}`, row]));
    this.#movements = new Map(rows.movements.map((row) => [`${levelKey(row.hqId, row)}/${row.seq}/${row.line}`, row]));
    this.#counts = new Map(rows.counts.map((row) => [`${levelKey(row.hqId, row)}/${row.seq}`, row]));
    this.#references = new Set(rows.references.map(({ hqId, seq, reference }) => `${hqId}/${seq}/${reference}`));
    this.#settings = new Map(rows.settings.map((row) => [`${row.kind}/${levelKey(row.hqId, row)}/${row.seq}`, row]));
    this.#closed = new Map(rows.closed.map((row) => [`${row.seq}/${row.n}`, row]));
  }

  /** Rows are keyed by the ids themselves. */
  knowsHq(): boolean {
    return true;
  }

  knowsLevel(): boolean {
    return true;
  }

  audit({ hqId, seq }: Entry): { lines: number; subject: string } | undefined {
    return this.#audit.get(`${hqId}/${seq}`);
  }

  movement({ hqId, seq }: Entry, level: LevelPlace, line: number): object | undefined {
    return this.#movements.get(`${levelKey(hqId, level)}/${seq}/${line}`);
  }

  count({ hqId, seq }: Entry, level: LevelPlace): object | undefined {
    return this.#counts.get(`${levelKey(hqId, level)}/${seq}`);
  }

  hasReference({ hqId, seq }: Entry, reference: string): boolean {
    return this.#references.has(`${hqId}/${seq}/${reference}`);
  }

  setting({ hqId, seq }: Entry, change: SettingChange): object | undefined {
    return this.#settings.get(`${change.kind}/${levelKey(hqId, change)}/${seq}`);
  }

  closed({ seq }: Entry, n: number): { hold: string; closedAt: number } | undefined {
    return this.#closed.get(`${seq}/${n}`);
  }
}

function levelKey(hqId: string, { storeId, productId }: LevelPlace): string {
  return `${hqId}/${storeId}/${productId}`;
}
