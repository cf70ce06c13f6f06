import { parse } from 'csv-parse/sync';
import { describe, expect, it } from 'vitest';
import { exportMovements, exportStock } from '../../src/catalog/export/export-csv.ts';
import type { LevelQuery, LevelRow, MovementQuery, MovementRow, Page } from '../../src/projections/history-reads.ts';

const level = (index: number): LevelRow => ({
  hqId: 'HQ001',
  storeId: 'S1',
  productId: `P${index}`,
  onHand: index,
  reserved: 1,
  safetyStock: 2,
  lowThreshold: index === 0 ? null : 5,
  version: 3,
  updatedAt: 0,
});

const movement = (fields: Partial<MovementRow>): MovementRow => ({
  movementId: 'mov_1',
  hqId: 'HQ001',
  storeId: 'S1',
  productId: 'P1',
  type: 'adjust',
  changeReason: 'ADJUST',
  onHandChange: -3,
  reservedChange: 0,
  onHand: 7,
  reserved: 0,
  referenceId: 'op-1',
  reservationId: null,
  reason: null,
  actor: { subject: 'clerk', role: 'operator' },
  at: 0,
  correction: false,
  ...fields,
});

/** Pages over a list by its index. */
function pageOf<T>(rows: readonly T[], { cursor, limit }: LevelQuery | MovementQuery): Page<T> {
  const from = Number(cursor ?? 0);
  const next = from + limit;
  return { items: rows.slice(from, next), nextCursor: next < rows.length ? String(next) : null };
}

async function textOf(pieces: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const piece of pieces) text += piece;
  return text;
}

describe('export', () => {
  it.each([0, 1, 499, 500, 501, 1_700])('gives all of %i levels, page by page', async (count) => {
    const rows = Array.from({ length: count }, (_, index) => level(index));
    const text = await textOf(exportStock({ levels: async (query) => pageOf(rows, query) }, { hqId: 'HQ001' }));
    const records = parse(text, { columns: true }) as Record<string, string>[];
    expect(records.map(({ productId }) => productId)).toEqual(rows.map(({ productId }) => productId));
    expect(
      text.startsWith('storeId,productId,onHand,reserved,safetyStock,available,lowThreshold,version,updatedAt\r\n'),
    ).toBe(true);
    if (count > 0)
      expect(records[0]).toMatchObject({
        onHand: '0',
        available: '-3',
        lowThreshold: '',
        updatedAt: '1970-01-01T00:00:00.000Z',
      });
  });

  it.each([
    ['=HYPERLINK("http://x","y")', `'=HYPERLINK("http://x","y")`],
    ['+1', "'+1"],
    ['-broken', "'-broken"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\tcmd', "'\tcmd"],
    ['broken, "again"\nand again', 'broken, "again"\nand again'],
    ['파손', '파손'],
  ])('writes the reason %j so that no spreadsheet runs it', async (reason, expected) => {
    const rows = [movement({ reason, referenceId: reason, actor: { subject: reason, role: 'operator' } })];
    const text = await textOf(exportMovements({ movements: async (query) => pageOf(rows, query) }, { hqId: 'HQ001' }));
    const [record] = parse(text, { columns: true }) as Record<string, string>[];
    expect(record).toMatchObject({ reason: expected, referenceId: expected, actor: expected, onHandChange: '-3' });
  });

  it('fails before its first piece when the history is behind', async () => {
    const behind = async () => {
      throw new Error('behind');
    };
    await expect(exportStock({ levels: behind }, { hqId: 'HQ001' }).next()).rejects.toThrow('behind');
  });
});
