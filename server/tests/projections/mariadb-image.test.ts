/** What is filled from the rows of MariaDB: an engine, or some partitions of it, and the memory of a recorder. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MariadbPool } from '../../src/ledger/mariadb/mariadb-pool.ts';
import { MariadbProjectedReads } from '../../src/projections/mariadb/mariadb-projected-reads.ts';
import { decodeEntry } from '../../src/stock/entry-codec.ts';
import { partitionOf } from '../../src/stock/identifiers.ts';
import { freshDatabase } from '../support/mariadb-database.ts';
import { HQ, MINUTE, PARTITION } from './installation.ts';
import { describeMariadb } from './installations.ts';
import { MariadbInstallation } from './mariadb-installation.ts';
import { ReplayedRows } from './replayed-rows.ts';

const STORE = 'STORE-A';
const item = { storeId: STORE, productId: 'P1' };
const OTHER = ['HQ-B', 'HQ-C', 'HQ-D'].find((hqId) => partitionOf(hqId) !== PARTITION) ?? '';

describeMariadb('rows of MariaDB fill what is empty', (server) => {
  let holdfast: MariadbInstallation;
  const opened: { close(): Promise<unknown> }[] = [];

  beforeEach(async () => {
    holdfast = new MariadbInstallation(await freshDatabase(server()));
    await holdfast.start();
    await holdfast.stock([STORE, 'STORE-B'], ['P1', 'P2']);
  });
  afterEach(async () => {
    for (const each of opened.splice(0)) await each.close();
    await holdfast.dispose();
  });

  const reserveMany = (count: number) =>
    Promise.all(Array.from({ length: count }, () => holdfast.reserve([{ ...item, quantity: 1 }])));

  async function variedEntries(): Promise<string[]> {
    await holdfast.entry({
      type: 'configure-store',
      storeId: 'STORE-EMPTY',
      settings: { safetyStock: null, lowThreshold: 4 },
    });
    await holdfast.entry({
      type: 'configure-product',
      productId: 'P1',
      settings: { safetyStock: 3, lowThreshold: 9 },
    });
    await holdfast.entry({ type: 'configure-level', ...item, settings: { safetyStock: 5, lowThreshold: null } });
    await holdfast.entry({
      type: 'count',
      countedAt: null,
      reason: 'r',
      items: [{ storeId: STORE, productId: 'P2', counted: 7, onHandThen: null, basedOn: null }],
    });
    const [open = '', released = ''] = await reserveMany(2);
    await holdfast.entry({ type: 'release', reservationId: released });
    const late = await holdfast.reserve([{ storeId: 'STORE-B', productId: 'P2', quantity: 2 }], { ttlMs: 1_000 });
    holdfast.nowMs += MINUTE;
    await holdfast.expire();
    await holdfast.entry({ type: 'confirm', reservationId: late, orderId: 'O-1', keepRest: false });
    return [open, released, late];
  }

  it('an engine knows all that it knew', async () => {
    const ids = await variedEntries();
    const keys = [STORE, 'STORE-B', 'STORE-EMPTY', 'HQ'].flatMap((storeId) =>
      ['P1', 'P2'].map((productId) => ({ storeId, productId })),
    );
    const known = () => ({
      levels: holdfast.engine.levels(HQ, keys),
      totals: ['P1', 'P2'].map((productId) => ({ ...holdfast.engine.totals(HQ, productId), updatedAt: 0 })),
      holds: ids.map((id) => holdfast.engine.hold(id)?.hold),
      counts: holdfast.engine.counts(),
    });
    await holdfast.projected();
    const before = known();
    await holdfast.stop();
    await holdfast.start();
    expect(known()).toEqual(before);
  });

  it('is told of some partitions alone, in chunks', async () => {
    await reserveMany(3);
    await holdfast.stock([STORE], ['P1'], OTHER);
    await holdfast.projected();
    const kinds: string[] = [];
    for await (const chunk of holdfast.projections.images.image(0, [PARTITION])) {
      kinds.push(chunk.kind);
      if (chunk.kind === 'cursors') expect(chunk.rows).toMatchObject([{ partition: PARTITION, seq: 8 }]);
      if (chunk.kind === 'levels') expect(new Set(chunk.rows.map(({ hqId }) => hqId))).toEqual(new Set([HQ]));
    }
    expect(kinds).toEqual(['cursors', 'stores', 'products', 'levels', 'holds']);
    for await (const { kind } of holdfast.projections.images.image(0)) if (kind === 'cursors') break;
  });

  it('rule 9: a recorder reads rows that are as the entries left them, many at once', async () => {
    const ids = await variedEntries();
    await holdfast.projected();
    const replayed = new ReplayedRows();
    for (const { body } of await holdfast.running.ledger.entries(PARTITION, 0, 1_000))
      replayed.apply(decodeEntry(body));
    const hqId = HQ;
    const products = ['P1', 'P2', 'P-NONE'].map((productId) => ({ hqId, productId }));
    const stores = [STORE, 'STORE-B', 'STORE-EMPTY', 'NOWHERE'].map((storeId) => ({ hqId, storeId }));
    const levels = stores.flatMap(({ storeId }) => products.map(({ productId }) => ({ hqId, storeId, productId })));
    const none = `rsv_${PARTITION}_${'0'.repeat(24)}`;
    const keys = [
      { partition: PARTITION, levels, products, stores, reservationIds: [...ids, none] },
      { partition: partitionOf(OTHER), levels: [], products: [], stores: [], reservationIds: [] },
    ];
    const pool = new MariadbPool(holdfast.access, { connectionsMax: 1, autocommit: true });
    opened.push(pool);
    expect(await new MariadbProjectedReads(pool).read(keys)).toEqual(await replayed.read(keys));
  });
});
