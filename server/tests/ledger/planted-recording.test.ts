/**
 * The order of the recording transaction's statements, and the epoch that a rebuild opens first, are the guarantee.
 * Each proof here is run on the real ledger, where it must hold, and on one with a planted bug, where it must not.
 */
import { createConnection } from 'mariadb';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { MariadbLedger } from '../../src/ledger/mariadb/mariadb-ledger.ts';
import type { MariadbAccess } from '../../src/ledger/mariadb/mariadb-pool.ts';
import type { SharedRecord, SharedRecordResult } from '../../src/ledger/shared-ledger.ts';
import type { SharedHead } from '../../src/stock/shared-engine.ts';
import { freshDatabase } from '../support/mariadb-database.ts';
import { type MariadbTestServer, startMariadb } from '../support/servers/mariadb.ts';
import { describeWith } from '../support/servers/servers.ts';
import { recordOf } from './ledger-adapters.ts';

interface Subject {
  ledger: MariadbLedger;
  access: MariadbAccess;
  record(record: SharedRecord): Promise<SharedRecordResult>;
  /** What a rebuild does before it reads the ledger and fills an engine. */
  beginRebuild(partition: number): Promise<void>;
}

type Proof = (subject: Subject) => Promise<void>;

async function headOf({ ledger }: Subject, partition: number): Promise<SharedHead> {
  return (await ledger.headsOf([partition]))[0] as SharedHead;
}

const cursorStandsOnItsEntry: Proof = async (subject) => {
  const first = await headOf(subject, 3);
  await subject.record(recordOf(first, { operationId: 'a' }));
  const head = await headOf(subject, 3);
  await subject.record(recordOf(head, { operationId: 'a' }));
  const after = await headOf(subject, 3);
  expect(await subject.ledger.recordedAt(3, after.seq)).not.toBeNull();
  expect(after).toEqual(head);
};

const overtakenIsNoDuplicate: Proof = async (subject) => {
  const head = await headOf(subject, 3);
  await subject.ledger.record([recordOf(head, {}, {})]);
  expect(await subject.record(recordOf(head, {}, {}))).toEqual({ status: 'conflict', partitions: [3] });
};

const stalledRecorderIsFenced: Proof = async (subject) => {
  const stalled = recordOf(await headOf(subject, 3), {});
  await subject.beginRebuild(3);
  // The engine is filled with what the ledger holds now; what the stalled recorder has is not in it.
  const filledAt = (await headOf(subject, 3)).seq;
  await subject.record(stalled);
  expect((await headOf(subject, 3)).seq).toBe(filledAt);
};

const PROOFS: { name: string; proof: Proof; bug: string; plant: (subject: Subject) => Subject }[] = [
  {
    name: 'rule 10: the cursor moves only with its entries',
    proof: cursorStandsOnItsEntry,
    bug: 'the commit is sent behind unchecked statements',
    plant: (subject) => ({ ...subject, record: (record) => commitUnchecked(subject, record) }),
  },
  {
    name: 'rule 10: who was overtaken hears of the conflict, not of duplicates',
    proof: overtakenIsNoDuplicate,
    bug: 'entries are inserted before the cursor is compared',
    plant: (subject) => ({ ...subject, record: (record) => insertFirst(subject, record) }),
  },
  {
    name: 'rule 15: a recorder that was stalled while the engine was filled records nothing any more',
    proof: stalledRecorderIsFenced,
    bug: 'a rebuild opens no epoch in the ledger',
    plant: (subject) => ({ ...subject, beginRebuild: async () => undefined }),
  },
];

const MOVE =
  'update cursors set seq = ?, hash = ?, at = ? where partition_id = ? and epoch = ? and seq = ? and hash = ?';
const INSERT = `insert into entries (partition_id, seq, epoch, hash, mark, at, hq_id, operation_id, fingerprint,
  duplicate_of, type, body) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

type Statement = [sql: string, values: unknown[]];

function statementsOf({ head, entries }: SharedRecord): { move: Statement; inserts: Statement[] } {
  const hash = 'planted';
  const last = entries.at(-1) as SharedRecord['entries'][number];
  const inserts = entries.map((row): Statement => {
    const ids = [row.hqId, row.operationId, row.fingerprint, row.duplicateOf, row.type, row.body];
    return [INSERT, [head.partition, row.seq, head.epoch, hash, row.mark, row.at, ...ids]];
  });
  const at = [head.partition, head.epoch, head.seq, head.hash];
  return { move: [MOVE, [last.seq, hash, last.at, ...at]], inserts };
}

async function commitUnchecked({ access }: Subject, record: SharedRecord): Promise<SharedRecordResult> {
  const connection = await createConnection({ ...access, pipelining: true });
  const { move, inserts } = statementsOf(record);
  const statements: Statement[] = [['begin', []], move, ...inserts, ['commit', []]];
  const results = await Promise.allSettled(statements.map(([sql, values]) => connection.query(sql, values)));
  await connection.end();
  const failed = results.find(({ status }) => status === 'rejected');
  return failed === undefined ? { status: 'recorded', heads: [] } : { status: 'duplicate', found: [] };
}

async function insertFirst({ access, ledger }: Subject, record: SharedRecord): Promise<SharedRecordResult> {
  const connection = await createConnection({ ...access });
  const { move, inserts } = statementsOf(record);
  await connection.query('begin');
  try {
    for (const [sql, values] of [...inserts, move]) await connection.query(sql, values);
    await connection.query('commit');
    return { status: 'recorded', heads: [] };
  } catch {
    await connection.query('rollback');
    const ids = record.entries.map(({ operationId }) => operationId ?? '');
    return { status: 'duplicate', found: await ledger.findOperations('HQ001', ids) };
  } finally {
    await connection.end();
  }
}

describeWith(['mariadb'], 'the order of recording', () => {
  let server: MariadbTestServer;
  beforeAll(async () => {
    server = await startMariadb();
  });
  afterAll(() => server.stop());

  async function withSubject(work: (subject: Subject) => Promise<void>): Promise<void> {
    const access = await freshDatabase(server);
    const ledger = await MariadbLedger.open(access);
    const subject: Subject = {
      ledger,
      access,
      record: (record) => ledger.record([record]),
      beginRebuild: async (partition) => {
        await ledger.openEpoch(await ledger.headsOf([partition]));
      },
    };
    await work(subject).finally(() => ledger.close());
  }

  for (const { name, proof, bug, plant } of PROOFS) {
    it(name, () => withSubject(proof));
    it(`${name}; found out when ${bug}`, () =>
      withSubject(async (subject) => {
        await expect(proof(plant(subject))).rejects.toThrow(/expected/);
      }));
  }
});
