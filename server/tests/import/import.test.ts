import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { InvalidMapping, parseMapping } from '../../src/catalog/import/columns.ts';
import { type ImportReport, type ImportRequest, importCsv } from '../../src/catalog/import/import-csv.ts';
import type { Refusal } from '../../src/catalog/import/refusals.ts';
import { Pipeline, PROVENANCE } from '../catalog/pipeline.ts';

let pipeline: Pipeline;
/** Each test has an HQ of its own. */
let hqId = '';
let tests = 0;
beforeAll(async () => {
  pipeline = await Pipeline.open();
});
beforeEach(() => {
  tests += 1;
  hqId = `HQ${tests}`;
});
afterAll(() => pipeline.close());

async function* piecesOf(content: string | Buffer): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(content);
  for (let at = 0; at < bytes.length; at += 4_096) yield bytes.subarray(at, at + 4_096);
}

function run(
  kind: ImportRequest['kind'],
  content: string | Buffer,
  options: Partial<ImportRequest> = {},
): Promise<ImportReport> {
  const { masterData, executor, engine, folder } = pipeline;
  return importCsv(
    { masterData, executor, engine, now: Date.now, spoolFolder: join(folder, 'imports') },
    {
      kind,
      hqId,
      source: piecesOf(content),
      onError: 'stop',
      mapping: new Map(),
      provenance: PROVENANCE,
      ...options,
    },
  );
}

const STORES = 'Store_ID,Store_Name\nS1,One\nS2,Two\n';
const PRODUCTS = 'Product_ID,Product_Name\nP1,Ball\nP2,Kite\nP3,Top\n';

async function knowCatalog(): Promise<void> {
  await run('stores', STORES);
  await run('products', PRODUCTS);
}

const entryCount = async () => (await pipeline.ledger.heads()).reduce((sum, { seq }) => sum + seq, 0);
const example = (name: string) => readFileSync(join(import.meta.dirname, '../../../examples/toys', name));

describe('the toys chain', () => {
  it('is read as it is', async () => {
    expect(await run('stores', example('stores.csv'))).toMatchObject({
      applied: true,
      rows: 50,
      imported: 50,
      created: 50,
    });
    expect(await run('products', example('products.csv'))).toMatchObject({ rows: 35, imported: 35, created: 35 });
    expect(await run('stock', example('inventory.csv'))).toMatchObject({ rows: 1_593, imported: 1_593, replayed: 0 });
    expect(await pipeline.catalog.store(hqId, '1')).toEqual({
      storeId: '1',
      name: 'Maven Toys Guadalajara 1',
      type: 'Residential',
      city: 'Guadalajara',
      openedAt: '1992-09-18',
      lowThreshold: null,
    });
    expect(await pipeline.catalog.product(hqId, '1')).toMatchObject({
      name: 'Action Figure',
      cost: 999,
      price: 1_599,
    });
    expect(pipeline.onHand(hqId, '1', '1')).toBe(27);
    expect(pipeline.onHand(hqId, '50', '35')).toBe(8);
    expect(pipeline.engine.levels(hqId, [{ storeId: '1', productId: '2' }])[0]).toMatchObject({
      onHand: 0,
      version: 1,
    });
  });

  it('is read with a mapping', async () => {
    const stores = parseMapping('stores', 'Store_ID=storeId,Store_Name=name,Store_Location=city');
    await run('stores', example('stores.csv'), { mapping: stores });
    expect(await pipeline.catalog.store(hqId, '2')).toMatchObject({
      name: 'Maven Toys Monterrey 1',
      city: 'Residential',
    });
    await run('products', example('products.csv'));
    const stock = parseMapping('stock', 'Store_ID:storeId,Product_ID:productId,Stock_On_Hand:quantity');
    expect(await run('stock', example('inventory.csv'), { mapping: stock })).toMatchObject({ imported: 1_593 });
  });
});

type Row = [name: string, content: string | Buffer, refused: Partial<Refusal>[]];

const head = 'storeId,productId,quantity\n';
const STOCK_FAULTS: Row[] = [
  ['an empty file', '', [{ line: 1, code: 'EMPTY_FILE' }]],
  ['a missing column', 'storeId,quantity\nS1,1\n', [{ line: 1, code: 'MISSING_COLUMN' }]],
  ['two columns for one field', 'storeId,productId,qty,stock\nS1,P1,1,2\n', [{ line: 1, code: 'AMBIGUOUS_COLUMN' }]],
  ['a missing value', `${head}S1,P1,1\nS1,,2\n`, [{ line: 3, code: 'MISSING_VALUE', column: 'productId' }]],
  ['a missing cell', `${head}S1,P1\n`, [{ line: 2, code: 'WRONG_FIELD_COUNT' }]],
  ['a cell too many', `${head}S1,P1,1,\n`, [{ line: 2, code: 'WRONG_FIELD_COUNT' }]],
  ['a negative quantity', `${head}S1,P1,-1\n`, [{ line: 2, code: 'INVALID_QUANTITY', reason: '"-1" is negative' }]],
  ['a fraction', `${head}S1,P1,1.5\n`, [{ line: 2, code: 'INVALID_QUANTITY', reason: '"1.5" is no whole number' }]],
  ['a word', `${head}S1,P1,many\n`, [{ line: 2, code: 'INVALID_QUANTITY', column: 'quantity' }]],
  ['hexadecimal', `${head}S1,P1,0x10\n`, [{ line: 2, code: 'INVALID_QUANTITY' }]],
  ['an exponent', `${head}S1,P1,1e3\n`, [{ line: 2, code: 'INVALID_QUANTITY' }]],
  ['too many', `${head}S1,P1,1000001\n`, [{ line: 2, reason: '"1000001" is more than 1000000' }]],
  ['far too many', `${head}S1,P1,99999999999999999999\n`, [{ line: 2, code: 'INVALID_QUANTITY' }]],
  ['a bad id', `${head}S1,P 1,1\n`, [{ line: 2, code: 'INVALID_ID', column: 'productId' }]],
  ['a long id', `${head}${'S'.repeat(65)},P1,1\n`, [{ line: 2, code: 'INVALID_ID', column: 'storeId' }]],
  ['an unknown store', `${head}S1,P1,1\nS9,P1,1\n`, [{ line: 3, code: 'UNKNOWN_STORE', column: 'storeId' }]],
  ['an unknown product', `${head}S1,P9,1\n`, [{ line: 2, code: 'UNKNOWN_PRODUCT', column: 'productId' }]],
  [
    'a row twice',
    `${head}S1,P1,1\nS1,P2,1\nS1,P1,1\n`,
    [{ line: 4, code: 'DUPLICATE_ROW', reason: 'S1 / P1 stands on line 2 already' }],
  ],
  [
    'bytes that are no UTF-8',
    Buffer.concat([Buffer.from(`${head}S1,P1,1\nS1,P`), Buffer.from([0xe9]), Buffer.from(',1\n')]),
    [{ line: 3, code: 'NOT_UTF8' }],
  ],
  ['UTF-16', Buffer.from(`\ufeff${head}S1,P1,1\n`, 'utf16le'), [{ line: 1, code: 'NOT_UTF8' }]],
  ['an unclosed quote', `${head}S1,P1,1\n"S1,P2,1\nS1,P3,1\n`, [{ line: 3, code: 'UNCLOSED_QUOTE' }]],
  ['a quote within a value', `${head}S1,P"1,1\n`, [{ line: 2, code: 'MISPLACED_QUOTE' }]],
  [
    'a fault below quotes over lines',
    `storeId,productId,quantity,note\r\nS1,P1,1,"a\r\nb"\r\nS1,P2,-2,\r\n`,
    [{ line: 4, code: 'INVALID_QUANTITY' }],
  ],
  ['several faults', `${head}S9,P1,1\nS1,P1,-1\nS1,P2,1\nS1,P2,2\n`, [{ line: 2 }, { line: 3 }, { line: 5 }]],
];

describe('bad stock files', () => {
  beforeEach(knowCatalog);

  it.each(STOCK_FAULTS)('%s: named by line, and nothing is imported', async (_, content, refused) => {
    const before = await entryCount();
    const report = await run('stock', content);
    expect(report).toMatchObject({ applied: false, imported: 0, skipped: refused.length, refused });
    expect(await entryCount()).toBe(before);
    expect(readdirSync(join(pipeline.folder, 'imports'))).toEqual([]);
  });

  it('skips refused rows when asked to, and imports the others', async () => {
    const content = `${head}S1,P1,5\nS9,P1,1\nS1,P2,x\nS2,P2,7\nS1,P1,5\n`;
    const report = await run('stock', content, { onError: 'skip' });
    expect(report).toMatchObject({ applied: true, rows: 5, imported: 2, skipped: 3 });
    expect(report.refused.map(({ line }) => line)).toEqual([3, 4, 6]);
    expect(pipeline.onHand(hqId, 'S1', 'P1')).toBe(5);
    expect(pipeline.onHand(hqId, 'S2', 'P2')).toBe(7);
  });

  it('imports nothing of a file that cannot be read to its end, even when skipping', async () => {
    const report = await run('stock', `${head}S1,P1,5\n"S1,P2,1\n`, { onError: 'skip' });
    expect(report).toMatchObject({ applied: false, imported: 0, refused: [{ line: 3, code: 'UNCLOSED_QUOTE' }] });
    expect(pipeline.onHand(hqId, 'S1', 'P1')).toBe(0);
  });

  it('tells the first thousand refused rows and counts the rest', async () => {
    const rows = Array.from({ length: 2_500 }, (_, index) => `S1,P1,-${index + 1}`).join('\n');
    const report = await run('stock', `${head}${rows}`, { onError: 'skip' });
    expect(report).toMatchObject({ rows: 2_500, imported: 0, skipped: 2_500 });
    expect(report.refused).toHaveLength(1_000);
  });

  it('takes a byte-order mark, CRLF, quotes, spaces and blank lines', async () => {
    const content = '\ufeff"Store ID", PRODUCT-ID ,On Hand\r\n\r\n"S1",P1, 3 \nS2,"P1","4"\r\n';
    expect(await run('stock', content)).toMatchObject({ applied: true, imported: 2 });
    expect(pipeline.onHand(hqId, 'S1', 'P1')).toBe(3);
    expect(pipeline.onHand(hqId, 'S2', 'P1')).toBe(4);
  });

  it('takes a header alone: there is nothing to import', async () => {
    expect(await run('stock', head)).toMatchObject({ applied: true, rows: 0, imported: 0, skipped: 0 });
  });

  it('takes the HQ pool as a store', async () => {
    expect(await run('stock', `${head}HQ,P1,9\n`)).toMatchObject({ imported: 1 });
    expect(pipeline.onHand(hqId, 'HQ', 'P1')).toBe(9);
  });

  it('makes the level of a zero row known', async () => {
    expect(await run('stock', `${head}S1,P1,0\n`)).toMatchObject({ imported: 1 });
    expect(pipeline.engine.levels(hqId, [{ storeId: 'S1', productId: 'P1' }])[0]).toMatchObject({
      onHand: 0,
      version: 1,
    });
  });

  it('is the HQ’s own: another knows none of its stores', async () => {
    const report = await run('stock', `${head}S1,P1,1\n`, { hqId: 'OTHER' });
    expect(report).toMatchObject({ applied: false, refused: [{ code: 'UNKNOWN_PRODUCT' }] });
  });

  it.each([
    ['nothing to split', 'Store_ID', 'does not read'],
    ['an unknown field', 'Store_ID=shop', 'is no field'],
    ['a field twice', 'a=storeId,b=storeId', 'mapped twice'],
    ['a column twice', 'a=storeId,a=productId', 'mapped twice'],
  ])('a mapping with %s is a mistake of usage', (_, mapping, message) => {
    expect(() => parseMapping('stock', mapping)).toThrow(InvalidMapping);
    expect(() => parseMapping('stock', mapping)).toThrow(message);
  });

  it('says which column of a mapping the file does not have', async () => {
    const mapping = parseMapping('stock', 'Shop=storeId');
    const report = await run('stock', `${head}S1,P1,1\n`, { mapping });
    expect(report.refused).toMatchObject([{ line: 1, code: 'MISSING_COLUMN' }]);
    expect(report.refused[0]?.reason).toContain('"Shop"');
  });
});

describe('bad master data', () => {
  const products = 'productId,name,price,openedAt\n';
  it.each<[string, ImportRequest['kind'], string, Partial<Refusal>]>([
    [
      'a price with too many digits',
      'products',
      `${products}P1,Ball,9.999,\n`,
      { code: 'INVALID_MONEY', column: 'price' },
    ],
    ['a negative price', 'products', `${products}P1,Ball,-1,\n`, { code: 'INVALID_MONEY' }],
    ['a decimal comma', 'products', `${products}P1,Ball,"9,99",\n`, { code: 'INVALID_MONEY' }],
    ['won with a fraction', 'products', `${products}P1,Ball,₩10.5,\n`, { code: 'INVALID_MONEY' }],
    ['a price beyond exact numbers', 'products', `${products}P1,Ball,99999999999999999,\n`, { code: 'INVALID_MONEY' }],
    [
      'a name too long',
      'products',
      `productId,name\nP1,${'x'.repeat(501)}\n`,
      { code: 'INVALID_TEXT', column: 'name' },
    ],
    ['a control character', 'products', 'productId,name\nP1,a\u001b[31mb\n', { code: 'INVALID_TEXT' }],
    ['the id of the HQ pool', 'stores', 'storeId,name\nHQ,One\n', { code: 'INVALID_ID', column: 'storeId' }],
    ['no name', 'stores', 'storeId,name\nS1,\n', { code: 'MISSING_VALUE', column: 'name' }],
    ['a date that does not exist', 'stores', 'storeId,name,openedAt\nS1,One,2026-02-30\n', { code: 'INVALID_DATE' }],
    ['a store twice', 'stores', 'storeId,name\nS2,One\nS1,One\n', { code: 'DUPLICATE_ROW' }],
  ])('%s is refused with its line', async (_, kind, content, refusal) => {
    const twice = refusal.code === 'DUPLICATE_ROW' ? `${content}S1,Again\n` : content;
    const report = await run(kind, twice);
    expect(report).toMatchObject({ applied: false, refused: [{ line: twice === content ? 2 : 4, ...refusal }] });
    expect((await pipeline.catalog.stores(hqId, { cursor: null, limit: 1 })).items).toEqual([]);
  });

  it('reads money exactly', async () => {
    const content =
      'productId,name,price,costMinor\nP1,a,$9.99 ,999\nP2,b,"$1,234.50",0\nP3,c,"₩15,000",\nP4,d,12,5\nP5,e,0.10,\nP6,f,1.500,\n';
    await run('products', content);
    const { items } = await pipeline.catalog.products(hqId, { cursor: null, limit: 10 });
    expect(items.map(({ price, cost }) => [price, cost])).toEqual([
      [999, 999],
      [123_450, 0],
      [15_000, null],
      [1_200, 5],
      [10, null],
      [150, null],
    ]);
  });

  it('may be imported again: nothing changes, and nothing is new', async () => {
    await run('stores', STORES);
    const before = await entryCount();
    expect(await run('stores', STORES)).toMatchObject({ applied: true, imported: 2, created: 0 });
    expect(await entryCount()).toBe(before);
    expect((await pipeline.catalog.audit({ hqId: hqId, cursor: null, limit: 10 })).items).toHaveLength(2);
  });
});
