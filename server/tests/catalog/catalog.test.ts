import { afterEach, beforeEach, expect, it } from 'vitest';
import type { MasterChange, Product, Store } from '../../src/catalog/catalog.ts';
import { MasterData } from '../../src/catalog/master-data.ts';
import { InvalidCursor } from '../../src/events/event-feed.ts';
import type { CommandExecutor } from '../../src/recording/command-executor.ts';
import type { CommandRequest } from '../../src/stock/stock-engine.ts';
import { type CatalogFixture, describeCatalogs } from './catalog-adapters.ts';
import { type Pipeline, PROVENANCE } from './pipeline.ts';

const change: MasterChange = { hqId: 'HQ001', provenance: PROVENANCE, at: 1_700_000_000_000 };
const store = (storeId: string, fields: Partial<Store> = {}): Store => ({
  storeId,
  name: `Store ${storeId}`,
  type: null,
  city: null,
  openedAt: null,
  lowThreshold: null,
  ...fields,
});
const product = (productId: string, fields: Partial<Product> = {}): Product => ({
  productId,
  name: `Product ${productId}`,
  category: null,
  price: null,
  cost: null,
  safetyStock: null,
  lowThreshold: null,
  ...fields,
});

describeCatalogs('catalog', (fresh) => {
  let fixture: CatalogFixture;
  let pipeline: Pipeline;
  beforeEach(async () => {
    fixture = await fresh();
    pipeline = await fixture.open();
  });
  afterEach(async () => {
    await pipeline.close({ keepFolder: true });
    await fixture.remove();
  });

  it('creates, replaces, and shows what was acknowledged', async () => {
    const { catalog } = pipeline;
    expect(await catalog.hqExists('HQ001')).toBe(false);
    const [first] = await catalog.putStores(change, [store('S1', { city: 'Seoul' })]);
    expect(first).toEqual({ created: true, revision: 1, pending: true });
    expect(await catalog.hqExists('HQ001')).toBe(true);
    expect(await catalog.store('HQ001', 'S1')).toEqual(store('S1', { city: 'Seoul' }));
    await catalog.markConfigured('HQ001', [{ kind: 'store', id: 'S1', revision: 1 }]);
    const [second] = await catalog.putStores(change, [store('S1', { name: '서울 1호점' })]);
    expect(second).toEqual({ created: false, revision: 2, pending: false });
    expect(await catalog.store('HQ001', 'S1')).toEqual(store('S1', { name: '서울 1호점' }));
    expect(await catalog.store('HQ002', 'S1')).toBeNull();
  });

  it('asks for the engine again when settings change, not when a name does', async () => {
    const { catalog } = pipeline;
    await catalog.putProducts(change, [product('P1')]);
    await catalog.markConfigured('HQ001', [{ kind: 'product', id: 'P1', revision: 1 }]);
    const [renamed] = await catalog.putProducts(change, [product('P1', { name: 'Renamed' })]);
    const [tightened] = await catalog.putProducts(change, [product('P1', { name: 'Renamed', safetyStock: 2 })]);
    expect([renamed?.pending, tightened?.pending]).toEqual([false, true]);
    expect(await catalog.pending(10)).toMatchObject([{ kind: 'product', hqId: 'HQ001', revision: 3 }]);
  });

  it('adds a product that is not there, and leaves one that is as it is', async () => {
    const { catalog, masterData } = pipeline;
    expect(await masterData.addProduct(change, product('P1', { price: 100 }))).toEqual({ created: true });
    expect(await masterData.addProduct(change, product('P1', { name: 'Other' }))).toEqual({ created: false });
    expect(await catalog.product('HQ001', 'P1')).toEqual(product('P1', { price: 100 }));
    expect(await catalog.pending(10)).toEqual([]);
    const { items } = await catalog.audit({ hqId: 'HQ001', cursor: null, limit: 10 });
    expect(items).toHaveLength(1);
    const raced = await Promise.all(
      ['a', 'b', 'c'].map((name) => masterData.addProduct(change, product('P2', { name }))),
    );
    expect(raced.filter(({ created }) => created)).toHaveLength(1);
  });

  it('makes known what was added, and not made known, with the settings that it has', async () => {
    const { catalog, masterData } = pipeline;
    await catalog.putProducts(change, [product('P1', { safetyStock: 3 })]);
    await masterData.addProduct(change, product('P1'));
    expect(await catalog.pending(10)).toEqual([]);
    expect(await catalog.product('HQ001', 'P1')).toMatchObject({ safetyStock: 3 });
  });

  it('counts every write of a row, also when several come at once', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `n${index}`);
    const results = await Promise.all(
      names.map((name) => pipeline.catalog.putProducts(change, [product('P1', { name })])),
    );
    const revisions = results.flat().map(({ revision }) => revision);
    expect(revisions.toSorted((one, other) => one - other)).toEqual(names.map((_, index) => index + 1));
    const { items } = await pipeline.catalog.audit({ hqId: 'HQ001', cursor: null, limit: 100 });
    expect(items).toHaveLength(20);
  });

  it('pages by id, and refuses a cursor of another list', async () => {
    const { catalog } = pipeline;
    const ids = Array.from({ length: 25 }, (_, index) => `P${String(index).padStart(3, '0')}`);
    await catalog.putProducts(
      change,
      ids.toReversed().map((id) => product(id)),
    );
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await catalog.products('HQ001', { cursor, limit: 10 });
      seen.push(...page.items.map((row) => row.productId));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(ids);
    const { nextCursor } = await catalog.products('HQ001', { cursor: null, limit: 5 });
    await expect(catalog.stores('HQ001', { cursor: nextCursor, limit: 5 })).rejects.toThrow(InvalidCursor);
    await expect(catalog.stores('HQ001', { cursor: 'nonsense', limit: 5 })).rejects.toThrow(InvalidCursor);
  });

  it('leaves one audit row for each change, with before and after, and none for no change', async () => {
    const { catalog } = pipeline;
    await catalog.putStores(change, [store('S1')]);
    await catalog.putStores(change, [store('S1')]);
    await catalog.putStores({ ...change, at: change.at + 1 }, [store('S1', { city: 'Busan' })]);
    const { items } = await catalog.audit({ hqId: 'HQ001', cursor: null, limit: 10 });
    expect(items).toMatchObject([
      { kind: 'store', subjectId: 'S1', before: store('S1'), after: store('S1', { city: 'Busan' }) },
      { before: null, after: store('S1'), actor: PROVENANCE.actor, correlationId: 'correlation-1', origin: 'test' },
    ]);
    const filtered = await catalog.audit({ hqId: 'HQ001', cursor: null, limit: 10, actor: 'other' });
    expect(filtered.items).toEqual([]);
    const late = await catalog.audit({ hqId: 'HQ001', cursor: null, limit: 10, from: change.at + 1 });
    expect(late.items).toHaveLength(1);
  });

  it('keeps its audit append-only', async () => {
    await pipeline.catalog.putStores(change, [store('S1')]);
    await expect(fixture.sql("update master_audit set actor_subject = 'somebody'")).rejects.toThrow(/append-only/);
    await expect(fixture.sql('delete from master_audit')).rejects.toThrow(/append-only/);
  });

  it('writes all rows of a call or none', async () => {
    const broken = { ...store('S2'), name: null } as unknown as Store;
    await expect(pipeline.catalog.putStores(change, [store('S1'), broken])).rejects.toThrow(/cannot be written/);
    expect(await pipeline.catalog.store('HQ001', 'S1')).toBeNull();
    expect(await pipeline.catalog.hqExists('HQ001')).toBe(false);
  });

  it('makes a store and a product known to the engine, with their settings', async () => {
    const { masterData } = pipeline;
    expect(pipeline.onHand('HQ001', 'S1', 'P1')).toBeUndefined();
    expect(await masterData.putStore(change, store('S1', { lowThreshold: 3 }))).toMatchObject({
      created: true,
      execution: { status: 'recorded' },
    });
    expect(await masterData.putProduct(change, product('P1', { safetyStock: 2 }))).toMatchObject({ created: true });
    expect(pipeline.engine.levels('HQ001', [{ storeId: 'S1', productId: 'P1' }])[0]).toMatchObject({
      onHand: 0,
      safetyStock: 2,
      lowThreshold: 3,
    });
    expect(await masterData.putStore(change, store('S1'))).toMatchObject({ created: false });
    expect(await pipeline.catalog.pending(10)).toEqual([]);
  });

  it('leaves the last writer’s settings in row and engine alike', async () => {
    const { masterData, catalog } = pipeline;
    const writes = Array.from({ length: 50 }, (_, index) => product('P1', { safetyStock: index, name: `n${index}` }));
    await masterData.putStore(change, store('S1'));
    await Promise.all(writes.map((row) => masterData.putProduct(change, row)));
    const row = await catalog.product('HQ001', 'P1');
    const [level] = pipeline.engine.levels('HQ001', [{ storeId: 'S1', productId: 'P1' }]);
    expect(level?.safetyStock).toBe(row?.safetyStock);
  });

  it('leaves the last row’s settings in the engine when another node’s command came before the one of an earlier row', async () => {
    const { masterData, catalog, executor } = pipeline;
    await masterData.putStore(change, store('S1'));
    const held = Promise.withResolvers<void>();
    const slow = { execute: (request: CommandRequest) => held.promise.then(() => executor.execute(request)) };
    const otherNode = new MasterData({ catalog, executor: slow as unknown as CommandExecutor });
    const earlier = otherNode.putProduct(change, product('P1', { safetyStock: 1 }));
    await expect.poll(() => catalog.product('HQ001', 'P1')).not.toBeNull();
    await masterData.putProduct(change, product('P1', { safetyStock: 2 }));
    held.resolve();
    await earlier;
    expect(pipeline.engine.levels('HQ001', [{ storeId: 'S1', productId: 'P1' }])[0]?.safetyStock).toBe(2);
  });

  it('heals a crash between row and command', async () => {
    await pipeline.catalog.putStores(change, [store('S1', { lowThreshold: 4 })]);
    await pipeline.catalog.putProducts(change, [product('P1', { safetyStock: 1 })]);
    await pipeline.close({ keepFolder: true });
    pipeline = await fixture.open();
    expect(pipeline.onHand('HQ001', 'S1', 'P1')).toBeUndefined();
    expect(await pipeline.masterData.reconcile()).toBe(2);
    expect(pipeline.engine.levels('HQ001', [{ storeId: 'S1', productId: 'P1' }])[0]).toMatchObject({
      safetyStock: 1,
      lowThreshold: 4,
    });
    expect(await pipeline.masterData.reconcile()).toBe(0);
  });

  it('answers “created” again when the first attempt never reached the engine', async () => {
    await pipeline.catalog.putStores(change, [store('S1')]);
    expect(await pipeline.masterData.putStore(change, store('S1'))).toMatchObject({ created: true });
  });

  it('writes in bulk and spares commands for what is as it was', async () => {
    const rows = Array.from({ length: 300 }, (_, index) => product(`P${index}`));
    const first = await pipeline.masterData.putProducts(change, rows);
    expect(first.every(({ created }) => created)).toBe(true);
    const before = (await pipeline.ledger.heads()).reduce((sum, { seq }) => sum + seq, 0);
    const second = await pipeline.masterData.putProducts(change, rows);
    expect(second.some(({ created }) => created)).toBe(false);
    expect((await pipeline.ledger.heads()).reduce((sum, { seq }) => sum + seq, 0)).toBe(before);
  });
});
