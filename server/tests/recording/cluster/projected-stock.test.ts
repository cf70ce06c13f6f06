/** What the recorder of a shared engine remembers, and what it may forget. */
import { describe, expect, it } from 'vitest';
import { ProjectedStock } from '../../../src/recording/cluster/projected-stock.ts';
import { changesOf, type Entry } from '../../../src/stock/entry.ts';
import { newReservationId, partitionOf } from '../../../src/stock/identifiers.ts';
import { MemoryStockEngine } from '../../../src/stock/memory/memory-stock-engine.ts';
import { ReplayedRows } from '../../projections/replayed-rows.ts';
import { decided, emptyHeads, HQ, reserveOf, stocked } from '../../stock/requests.ts';

const PARTITION = partitionOf(HQ);

/** Twenty reservations of one unit after three entries that stock a shop. */
function entriesOf(): Entry[] {
  const engine = new MemoryStockEngine(() => 1_000_000);
  engine.open(emptyHeads());
  const entries = stocked(engine, 100);
  for (let index = 0; index < 20; index += 1) entries.push(decided(engine, reserveOf(1), `r${index}`));
  return entries;
}

async function rememberAll(stock: ProjectedStock, entries: readonly Entry[], projected: ReplayedRows): Promise<void> {
  for (const entry of entries) {
    const keys = stock.missing([entry]);
    const [rows] = keys === null ? [] : await projected.read([keys]);
    if (keys !== null && rows !== undefined) stock.learn(keys, rows);
    stock.remember(entry, changesOf(entry));
  }
}

describe('rule 9: only what is projected is forgotten', () => {
  it('rule 9: keeps more than it would while the projections stand still, and lets it go once they have caught up', async () => {
    const stock = new ProjectedStock(PARTITION, 4);
    stock.beginAfter(0);
    const entries = entriesOf();
    await rememberAll(stock, entries, new ReplayedRows());
    const reservations = entries.flatMap(({ holds }) => holds.map(({ reservationId }) => reservationId));
    expect(reservations.filter((id) => stock.hold(id) === undefined)).toEqual([]);
    stock.projectedUpTo(23);
    const later = entriesOf().slice(3);
    for (const entry of later) stock.remember(entry, changesOf(entry));
    for (const entry of later) stock.remember(entry, changesOf(entry));
    expect(reservations.filter((id) => stock.hold(id) !== undefined)).toEqual([]);
  });

  it('rule 9: believes no rows that are older than what it remembers begins', () => {
    const stock = new ProjectedStock(PARTITION);
    stock.beginAfter(10);
    const reservationIds = [newReservationId(PARTITION)];
    const keys = { partition: PARTITION, levels: [], products: [], stores: [], reservationIds };
    const rows = { partition: PARTITION, levels: [], products: [], stores: [], holds: [null] };
    expect(() => stock.learn(keys, { ...rows, seq: 9 })).toThrow('went back');
    stock.learn(keys, { ...rows, seq: 10 });
    expect(stock.hold(reservationIds[0] as string)).toBeNull();
  });
});
