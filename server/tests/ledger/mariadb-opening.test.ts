/** Opening the ledger of a cluster: settings that break the guarantee, refusals with a remedy, schema by several at once. */
import { setTimeout as delay } from 'node:timers/promises';
import { createConnection } from 'mariadb';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LedgerUnusable } from '../../src/ledger/ledger.ts';
import { MariadbLedger } from '../../src/ledger/mariadb/mariadb-ledger.ts';
import type { MariadbAccess } from '../../src/ledger/mariadb/mariadb-pool.ts';
import { PARTITION_COUNT } from '../../src/stock/limits.ts';
import { asAdmin, freshDatabase } from '../support/mariadb-database.ts';
import { type MariadbTestServer, startMariadb } from '../support/servers/mariadb.ts';
import { describeWith } from '../support/servers/servers.ts';
import { recordOf } from './ledger-adapters.ts';

async function refusal(access: MariadbAccess): Promise<LedgerUnusable> {
  const opening = await MariadbLedger.open(access).then(
    async (ledger) => {
      await ledger.close();
      return null;
    },
    (error: unknown) => error,
  );
  if (opening instanceof LedgerUnusable) return opening;
  throw new Error(`it was not refused: ${opening}`);
}

describeWith(['mariadb'], 'opening a ledger on MariaDB', () => {
  let server: MariadbTestServer;
  beforeAll(async () => {
    server = await startMariadb();
  });
  afterAll(() => server.stop());

  it.each([
    { variable: 'innodb_flush_log_at_trx_commit', wrong: '2', right: '1', line: 'innodb_flush_log_at_trx_commit = 1' },
    { variable: 'sync_binlog', wrong: '0', right: '1', line: 'sync_binlog = 1' },
    { variable: 'binlog_format', wrong: "'MIXED'", right: "'ROW'", line: 'binlog_format = ROW' },
    { variable: 'read_only', wrong: '1', right: '0', line: 'read_only = OFF' },
    { variable: 'max_allowed_packet', wrong: '1048576', right: '16777216', line: 'max_allowed_packet = 64M' },
  ])('refuses $variable = $wrong and names the line to change', async ({ variable, wrong, right, line }) => {
    const access = await freshDatabase(server);
    await asAdmin(server, [`set global ${variable} = ${wrong}`]);
    try {
      const { code, message } = await refusal(access);
      expect(code).toBe('LEDGER_SERVER_SETTINGS');
      expect(message).toContain(`"${line}"`);
    } finally {
      await asAdmin(server, [`set global ${variable} = ${right}`]);
    }
    await (await MariadbLedger.open(access)).close();
  });

  it('refuses a server without binary log and without doublewrite, both at once', async () => {
    const other = await startMariadb({ settings: { 'skip-log-bin': 'ON', innodb_doublewrite: 'OFF' } });
    try {
      const { code, message } = await refusal(other.access);
      expect(code).toBe('LEDGER_SERVER_SETTINGS');
      expect(message).toContain('"log_bin" and "innodb_doublewrite = ON"');
    } finally {
      await other.stop();
    }
  });

  it('records nothing any more on a server that has become less than durable', async () => {
    const ledger = await MariadbLedger.open(await freshDatabase(server));
    const [head] = await ledger.heads();
    if (head === undefined) throw new Error('no head');
    try {
      await asAdmin(server, ['set global sync_binlog = 0']);
      // Its connections of before are ended by the server once they are silent.
      await delay(4_000);
      expect(await ledger.record([recordOf(head, {})])).toMatchObject({
        status: 'rolled-back',
        reason: expect.stringContaining('sync_binlog = 1'),
      });
    } finally {
      await asAdmin(server, ['set global sync_binlog = 1']);
      await ledger.close();
    }
  });

  it('says which entry is too long for the server, and records it once the server takes it', async () => {
    const ledger = await MariadbLedger.open(await freshDatabase(server));
    const [head] = await ledger.heads();
    if (head === undefined) throw new Error('no head');
    const record = recordOf(head, { body: 'x'.repeat(17_000_000) });
    try {
      expect(await ledger.record([record])).toMatchObject({
        status: 'rolled-back',
        reason: expect.stringMatching(/entry 1 of partition 0 has 17000000 bytes.*max_allowed_packet/),
      });
      await asAdmin(server, ['set global max_allowed_packet = 33554432']);
      expect(await ledger.record([record])).toMatchObject({ status: 'recorded' });
    } finally {
      await asAdmin(server, ['set global max_allowed_packet = 16777216']);
      await ledger.close();
    }
  });

  it('refuses an old server, a wrong password, a database that is not there, and a server that is away', async () => {
    const old = await startMariadb({ settings: { version: '10.5.27-MariaDB' } });
    try {
      expect(await refusal(old.access)).toMatchObject({ code: 'LEDGER_SERVER_TOO_OLD' });
    } finally {
      await old.stop();
    }
    expect(await refusal(old.access)).toMatchObject({
      code: 'LEDGER_UNREACHABLE',
      message: expect.stringContaining('DB_HOST and DB_PORT'),
    });
    expect(await refusal({ ...server.access, password: 'wrong' })).toMatchObject({
      code: 'LEDGER_LOGIN_REFUSED',
      message: expect.stringContaining('DB_PASSWORD'),
    });
    expect(await refusal({ ...server.adminAccess, database: 'nowhere' })).toMatchObject({
      code: 'LEDGER_NO_DATABASE',
      message: expect.stringContaining('DB_NAME'),
    });
  });

  it('refuses an installation that spreads its HQs otherwise', async () => {
    const access = await freshDatabase(server);
    await (await MariadbLedger.open(access)).close();
    await asAdmin(server, [`update ${access.database}.installation set partitioning = 'fnv1a/128'`]);
    expect(await refusal(access)).toMatchObject({ code: 'LEDGER_OTHER_PARTITIONING' });
  });

  it('makes its schema once when several processes begin at the same time', async () => {
    const access = await freshDatabase(server);
    const ledgers = await Promise.all(Array.from({ length: 6 }, () => MariadbLedger.open(access)));
    const identities = await Promise.all(ledgers.map((ledger) => ledger.identity()));
    expect(new Set(identities.map(({ installationId }) => installationId)).size).toBe(1);
    expect(await ledgers[0]?.heads()).toHaveLength(PARTITION_COUNT);
    await Promise.all(ledgers.map((ledger) => ledger.close()));
  });

  it('goes on with a migration that was interrupted at any place', async () => {
    const access = await freshDatabase(server);
    const connection = await createConnection({ ...access });
    await (await MariadbLedger.open(access)).close();
    const before = await schemaOf(access);
    // As a crash leaves it: what a migration has made is there, its name is not.
    await connection.query('delete from kysely_migration');
    await (await MariadbLedger.open(access)).close();
    expect(await schemaOf(access)).toEqual(before);
    await connection.query('drop trigger entries_no_delete');
    await connection.query('alter table entries drop key entries_operation');
    await connection.query('delete from kysely_migration');
    await (await MariadbLedger.open(access)).close();
    expect(await schemaOf(access)).toEqual(before);
    await connection.end();
  });

  async function schemaOf({ database }: MariadbAccess): Promise<unknown[]> {
    const columns = await asAdmin(server, [
      `select table_name, column_name, column_type, collation_name, is_nullable from information_schema.columns
       where table_schema = '${database}' order by table_name, column_name`,
    ]);
    const keys = await asAdmin(server, [
      `select table_name, index_name, column_name, seq_in_index, non_unique from information_schema.statistics
       where table_schema = '${database}' order by table_name, index_name, seq_in_index`,
    ]);
    const triggers = await asAdmin(server, [
      `select trigger_name, action_statement from information_schema.triggers
       where trigger_schema = '${database}' order by trigger_name`,
    ]);
    return [...columns, ...keys, ...triggers];
  }
});
