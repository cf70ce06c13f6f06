/** A process that records batches of one-line reservations into MariaDB, one batch after the other. */
import { randomUUID } from 'node:crypto';
import { MariadbLedger } from '../../server/src/ledger/mariadb/mariadb-ledger.ts';
import type { MariadbAccess } from '../../server/src/ledger/mariadb/mariadb-pool.ts';
import type { SharedRow } from '../../server/src/ledger/shared-ledger.ts';
import { ENTRY_VERSION, type Entry, type Hold } from '../../server/src/stock/entry.ts';
import { encodeEntry } from '../../server/src/stock/entry-codec.ts';
import { newReservationId, partitionOf } from '../../server/src/stock/identifiers.ts';
import type { SharedHead } from '../../server/src/stock/shared-engine.ts';
import { serveCalls } from '../harness/child-process.ts';
import type { Sample } from '../harness/sample.ts';
import { closedLoop, type LoadShape } from '../load/closed-loop.ts';

const HQ = 'HQ001';
const STORE = 'STORE0001';
const PRODUCT = 'PRD000001';
const PARTITION = partitionOf(HQ);
const TTL_MS = 300_000;

/** As long as a real one; the ledger does not look into it. */
const BODY = encodeEntry(reservation());

function reservation(): Entry {
  const at = Date.now();
  const item = { storeId: STORE, productId: PRODUCT };
  const transactionId = randomUUID();
  const hold: Hold = {
    reservationId: newReservationId(PARTITION),
    storeId: STORE,
    transactionId,
    orderId: null,
    status: 'active',
    createdAt: at,
    expiresAt: at + TTL_MS,
    items: [{ ...item, reserved: 1, confirmed: 0, released: 0 }],
  };
  const { reservationId } = hold;
  return {
    version: ENTRY_VERSION,
    partition: PARTITION,
    epoch: 1,
    seq: 1_000_000,
    at,
    hqId: HQ,
    operationId: randomUUID(),
    fingerprint: randomUUID(),
    duplicateOf: null,
    actor: { subject: 'till-0001', role: 'pos' },
    origin: 'http',
    correlationId: randomUUID(),
    causationId: null,
    command: {
      type: 'reserve',
      reservationId,
      storeId: STORE,
      transactionId,
      ttlMs: TTL_MS,
      items: [{ ...item, quantity: 1 }],
    },
    read: {
      levels: [{ ...item, onHand: 1_000_000, reserved: 1_000, safetyStock: 0, lowThreshold: null, version: 1_000 }],
      totals: [{ productId: PRODUCT, onHand: 1_000_000, reserved: 1_000, safetyStock: 0 }],
      holds: [],
    },
    outcome: { status: 'reserved' },
    lines: [{ level: 0, onHandChange: 0, reservedChange: 1 }],
    holds: [hold],
  };
}

function rowAt(seq: number): SharedRow {
  const mark = randomUUID();
  return {
    seq,
    at: Date.now(),
    hqId: HQ,
    operationId: randomUUID(),
    fingerprint: mark.slice(0, 22),
    duplicateOf: null,
    type: 'reserve',
    body: BODY,
    mark,
  };
}

serveCalls({
  async measure(access: MariadbAccess, batchEntries: number, shape: LoadShape): Promise<Sample> {
    const ledger = await MariadbLedger.open(access);
    const [opened] = await ledger.headsOf([PARTITION]);
    let head = opened as SharedHead;
    const sample = await closedLoop(shape, async () => {
      const entries = Array.from({ length: batchEntries }, (_, index) => rowAt(head.seq + 1 + index));
      const result = await ledger.record([{ head, entries }]);
      if (result.status !== 'recorded') throw new Error(JSON.stringify(result));
      head = result.heads[0] as SharedHead;
      return batchEntries;
    });
    await ledger.close();
    return sample;
  },
});
