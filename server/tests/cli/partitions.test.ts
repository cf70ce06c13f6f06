/** The operator's command, against a real database. */
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { partitions, writtenPartitions } from '../../src/cli/partitions.ts';
import { MariadbLedger } from '../../src/ledger/mariadb/mariadb-ledger.ts';
import { MariadbPartitionStates } from '../../src/recording/cluster/mariadb/mariadb-partition-states.ts';
import type { PartitionRow } from '../../src/recording/cluster/partition-states.ts';
import { type MariadbTestServer, startMariadb } from '../support/servers/mariadb.ts';
import { describeWith } from '../support/servers/servers.ts';

const HALTED: PartitionRow['waiting'] = {
  partition: 7,
  wait: 'ledger-went-back',
  reason: 'a node was told of more',
  sinceMs: Date.UTC(2026, 0, 5, 9),
  seenEpoch: 2,
  resumed: false,
};

it('writes a line for each partition', () => {
  const row = { partition: 7, owner: 'a', epoch: 2, seq: 40, waiting: null };
  const rows = [
    row,
    { ...row, owner: null },
    { ...row, waiting: HALTED },
    { ...row, waiting: { ...HALTED, resumed: true } },
  ];
  expect(writtenPartitions(rows).split('\n')).toEqual([
    ' 7  a  epoch 2  entry 40  recorded',
    ' 7  -  epoch 2  entry 40  nobody records it',
    ' 7  a  epoch 2  entry 40  waits (ledger-went-back)  since 2026-01-05T09:00:00.000Z  a node was told of more',
    ' 7  a  epoch 2  entry 40  resuming (ledger-went-back)  since 2026-01-05T09:00:00.000Z  a node was told of more',
    '',
  ]);
});

it.each([undefined, '64', '-1', 'x', '1.5'])('asks for the number of a partition instead of %s', async (partition) => {
  await expect(partitions({}, { action: 'resume', partition })).rejects.toThrow('0 to 63');
});

describeWith(['mariadb'], 'holdfast partitions', () => {
  let server: MariadbTestServer;
  let environment: Record<string, string>;
  const out: string[] = [];

  beforeAll(async () => {
    server = await startMariadb();
    const { host, port, database, user, password } = server.access;
    environment = { HOLDFAST_MODE: 'cluster', DB_HOST: host, DB_PORT: String(port), DB_NAME: database };
    Object.assign(environment, { DB_USERNAME: user, DB_PASSWORD: password });
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => out.push(String(text)) > 0);
  });
  afterEach(() => out.splice(0));
  afterAll(async () => {
    vi.restoreAllMocks();
    await server.stop();
  });

  it('lists them, and lets one that waits go on', async () => {
    const ledger = await MariadbLedger.open(server.access);
    const states = new MariadbPartitionStates(ledger.connections);
    await expect(partitions(environment, { action: 'resume', partition: '7' })).rejects.toThrow('does not wait');
    await states.halt({ partition: 7, epoch: 2, seq: 40 }, 'ledger-went-back', 'a node was told of more');
    await partitions(environment, { action: 'list', partition: undefined, json: true });
    expect((JSON.parse(out.join('')) as PartitionRow[])[7]?.waiting?.resumed).toBe(false);
    await partitions(environment, { action: 'resume', partition: '7' });
    expect((await states.waiting())[0]).toMatchObject({ partition: 7, resumed: true });
    await states.accepted(7, 3);
    await expect(partitions(environment, { action: 'resume', partition: 'all' })).rejects.toThrow('No partition waits');
    for (const partition of [7, 9])
      await states.halt({ partition, epoch: 3, seq: 40 }, 'ledger-went-back', 'a node was told of more');
    await partitions(environment, { action: 'resume', partition: 'all' });
    expect(out.join('')).toContain('Partitions 7, 9 go on');
    expect((await states.waiting()).map(({ partition, resumed }) => [partition, resumed])).toEqual([
      [7, true],
      [9, true],
    ]);
    await ledger.close();
  });
});
