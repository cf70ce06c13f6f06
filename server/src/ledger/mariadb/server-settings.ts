/**
 * The settings of the database server that "recorded" rests on. They are looked at for every connection that writes:
 * after a failover another server may answer.
 */
import type { Connection } from 'mariadb';
import { LedgerUnusable } from '../ledger.ts';

/**
 * MariaDB from 10.6: since then a statement of schema that a crash interrupts is undone or done whole, which the
 * migrations need. MySQL from 8.0 for the same reason. Tested: MariaDB 10.11.
 */
const VERSION_MIN = { MariaDB: [10, 6], MySQL: [8, 0] } as const;
/** The server's own default; a basket of 500 lines has 60 KB. */
const PACKET_BYTES_MIN = 16 * 1024 * 1024;

type Settings = ReadonlyMap<string, string>;

interface Requirement {
  variable: string;
  isMet(value: string): boolean;
  /** The line of the server's configuration. */
  line: string;
  because: string;
}

const REQUIREMENTS: readonly Requirement[] = [
  {
    variable: 'innodb_flush_log_at_trx_commit',
    isMet: (value) => value === '1',
    line: 'innodb_flush_log_at_trx_commit = 1',
    because: 'with any other value a commit is answered before it is on the disk',
  },
  {
    variable: 'log_bin',
    isMet: (value) => value === 'ON',
    line: 'log_bin',
    because: 'without a binary log other connections see a commit before it is on the disk, and answer from it',
  },
  {
    variable: 'sync_binlog',
    isMet: (value) => value === '1',
    line: 'sync_binlog = 1',
    because: 'with any other value a power cut loses commits from the binary log, and with it from the tables',
  },
  {
    variable: 'binlog_format',
    isMet: (value) => value === 'ROW',
    line: 'binlog_format = ROW',
    because: 'other formats cannot repeat what was recorded under "read committed"',
  },
  {
    variable: 'innodb_doublewrite',
    isMet: (value) => ['ON', '1', 'DETECT_AND_RECOVER'].includes(value),
    line: 'innodb_doublewrite = ON',
    because: 'without it a power cut may leave half-written pages',
  },
  {
    variable: 'innodb_force_recovery',
    isMet: (value) => value === '0',
    line: 'innodb_force_recovery = 0',
    because: 'a server in forced recovery keeps no promises',
  },
  {
    variable: 'read_only',
    isMet: (value) => value === 'OFF' || value === '0',
    line: 'read_only = OFF',
    because: 'this server is a replica: the ledger is written, and its head is read, on the primary alone',
  },
  {
    variable: 'max_allowed_packet',
    isMet: (value) => Number(value) >= PACKET_BYTES_MIN,
    line: 'max_allowed_packet = 64M',
    because: 'large entries would be refused',
  },
];

/** @throws LedgerUnusable that names the line to change */
export async function checkServer(connection: Connection): Promise<void> {
  const rows = await connection.query<{ Variable_name: string; Value: string }[]>(
    `show global variables where variable_name in (${['version', ...REQUIREMENTS.map(({ variable }) => variable)]
      .map((name) => `'${name}'`)
      .join(', ')})`,
  );
  const settings: Settings = new Map(rows.map(({ Variable_name, Value }) => [Variable_name, Value]));
  checkVersion(settings.get('version') ?? '');
  const unmet = REQUIREMENTS.filter((requirement) => !isMet(requirement, settings));
  if (unmet.length === 0) return;
  const found = unmet.map(({ variable, because }) => `${variable} = ${settings.get(variable)} (${because})`);
  const lines = unmet.map(({ line }) => `"${line}"`);
  throw new LedgerUnusable(
    'LEDGER_SERVER_SETTINGS',
    `the database server has ${found.join(', ')}. Put ${lines.join(' and ')} under [mariadbd] (MySQL: [mysqld]) in its configuration, restart it, then start again.`,
  );
}

function checkVersion(version: string): void {
  const product = version.includes('MariaDB') ? 'MariaDB' : 'MySQL';
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  const [majorMin, minorMin] = VERSION_MIN[product];
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return;
  throw new LedgerUnusable(
    'LEDGER_SERVER_TOO_OLD',
    `the database server is ${version}; Holdfast needs MariaDB ${VERSION_MIN.MariaDB.join('.')} or MySQL ${VERSION_MIN.MySQL.join('.')}, or later. Upgrade it, then start again.`,
  );
}

function isMet({ variable, isMet }: Requirement, settings: Settings): boolean {
  const value = settings.get(variable);
  // MariaDB reports every one of them; a variable that a server no longer has cannot be set wrongly.
  return value === undefined || isMet(value.toUpperCase());
}
