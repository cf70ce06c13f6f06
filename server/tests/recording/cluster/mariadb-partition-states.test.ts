/** Partitions that wait for an operator, as all processes see them. Only MariaDB is shared by several recorders. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { MariadbLedger } from '../../../src/ledger/mariadb/mariadb-ledger.ts';
import { MariadbOwnership } from '../../../src/ledger/mariadb/mariadb-ownership.ts';
import { MariadbPartitionStates } from '../../../src/recording/cluster/mariadb/mariadb-partition-states.ts';
import { PARTITION_COUNT } from '../../../src/stock/limits.ts';
import { freshDatabase } from '../../support/mariadb-database.ts';
import { type MariadbTestServer, startMariadb } from '../../support/servers/mariadb.ts';
import { describeWith } from '../../support/servers/servers.ts';

const SEEN = { partition: 5, epoch: 3, seq: 40 };

describeWith(['mariadb'], 'states of partitions', () => {
  let server: MariadbTestServer;
  let ledger: MariadbLedger;
  let states: MariadbPartitionStates;

  beforeAll(async () => {
    server = await startMariadb();
    ledger = await MariadbLedger.open(await freshDatabase(server));
  });
  afterAll(async () => {
    await ledger.close();
    await server.stop();
  });
  beforeEach(() => {
    states = new MariadbPartitionStates(ledger.connections);
  });

  it('rule 17: waits until the word of an operator, and heeds no witness of an epoch before it', async () => {
    expect(await states.waiting()).toEqual([]);
    expect(await states.resume(5)).toBe(false);
    expect(await states.halt(SEEN, 'ledger-went-back', 'seen more')).toBe(true);
    const [row] = await states.waiting();
    expect(row).toMatchObject({
      partition: 5,
      wait: 'ledger-went-back',
      reason: 'seen more',
      seenEpoch: 3,
      resumed: false,
    });
    expect(await states.resume(5)).toBe(true);
    expect(await states.halt({ ...SEEN, epoch: 6 }, 'ledger-went-back', 'seen later')).toBe(true);
    expect((await states.waiting())[0]).toMatchObject({ seenEpoch: 6, resumed: true, sinceMs: row?.sinceMs });
    await states.accepted(5, 7);
    expect(await states.waiting()).toEqual([]);
    expect(await states.halt({ ...SEEN, epoch: 6 }, 'ledger-went-back', 'seen more')).toBe(false);
    expect(await states.halt({ ...SEEN, epoch: 7 }, 'ledger-went-back', 'seen again')).toBe(true);
    expect((await states.waiting())[0]).toMatchObject({ resumed: false });
    await states.accepted(5, 8);
  });

  it('rule 16: counts the entries that were refused lately, not their successors', async () => {
    const evidence = { partition: 9, epoch: 1, seq: 4, reason: 'a test', bodies: ['{}', '{}'] };
    await ledger.keepEvidence({ ...evidence, at: 1_000 });
    await ledger.keepEvidence({ ...evidence, at: 5_000, epoch: 2 });
    expect(await states.rejectionsSince(9, 1_000)).toBe(2);
    expect(await states.rejectionsSince(9, 1_001)).toBe(1);
    expect(await states.rejectionsSince(8, 0)).toBe(0);
  });

  it('lists every partition with its owner, its head and what it waits for', async () => {
    const ownership = new MariadbOwnership(ledger.connections.writer, 'node-a');
    await ownership.renew();
    await states.halt({ ...SEEN, partition: 11, epoch: 2 }, 'rejected-entries', 'a test');
    const rows = await states.list();
    expect(rows).toHaveLength(PARTITION_COUNT);
    expect(rows[0]).toEqual({ partition: 0, owner: 'node-a', epoch: 0, seq: 0, waiting: null });
    expect(rows[11]?.waiting).toMatchObject({ wait: 'rejected-entries', reason: 'a test' });
    await ownership.leave();
    expect((await states.list())[0]?.owner).toBeNull();
  });
});
