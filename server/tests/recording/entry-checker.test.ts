/** An entry that an engine should never have made is found before it is recorded. */
import { beforeEach, describe, expect, it } from 'vitest';
import { EntryChecker, EntryRejected } from '../../src/recording/entry-checker.ts';
import type { Entry } from '../../src/stock/entry.ts';
import { MemoryStockEngine } from '../../src/stock/memory/memory-stock-engine.ts';
import { decided, emptyHeads, reserveOf, stocked } from '../stock/requests.ts';

const HEAD = { epoch: 1, seq: 0, at: 0 };

describe('the entry checker', () => {
  let engine: MemoryStockEngine;
  let entries: Entry[];

  beforeEach(() => {
    engine = new MemoryStockEngine(() => 1_000_000);
    engine.open(emptyHeads());
    entries = stocked(engine, 10);
  });

  function check(all: Entry[]): void {
    const checker = new EntryChecker();
    let before: { epoch: number; seq: number; at: number } = HEAD;
    for (const entry of all) {
      checker.check(entry, before);
      before = entry;
    }
  }

  const settings = (safetyStock: number | null) => ({ safetyStock, lowThreshold: null });

  it('accepts what the engine decides, settings of every kind included', () => {
    const level = { type: 'configure-level' as const, storeId: 'S1', productId: 'P1' };
    entries.push(
      decided(engine, { type: 'configure-product', productId: 'P1', settings: settings(3) }),
      decided(engine, reserveOf(2), 'r1'),
      decided(engine, { ...level, settings: settings(5) }),
      decided(engine, { type: 'configure-product', productId: 'P1', settings: settings(4) }),
      decided(engine, reserveOf(3), 'r2'),
      decided(engine, { ...level, settings: settings(null) }),
      decided(engine, reserveOf(1), 'r3'),
    );
    check(entries);
  });

  it('rejects a reservation in the place of another one, open or closed', () => {
    const [first, second] = [reserveOf(2), reserveOf(3)];
    const released = { type: 'release' as const, reservationId: first.reservationId };
    entries.push(decided(engine, first, 'r1'));
    const inItsPlace = (entry: Entry) => {
      const copy = structuredClone(entry);
      Object.assign(copy.command, { reservationId: first.reservationId });
      Object.assign(copy.holds[0] as object, { reservationId: first.reservationId });
      return copy;
    };
    const whileOpen = decided(engine, second, 'r2');
    check([...entries, whileOpen]);
    expect(() => check([...entries, inItsPlace(whileOpen)])).toThrow('is there already');
    entries.push(whileOpen, decided(engine, released, 'x1'));
    const onceClosed = decided(engine, reserveOf(1), 'r3');
    check([...entries, onceClosed]);
    expect(() => check([...entries, inItsPlace(onceClosed)])).toThrow('is there already');
  });

  const tampered: [string, (entry: Entry) => void][] = [
    ['more stock than was recorded', (entry) => Object.assign(entry.read.levels[0] as object, { onHand: 11 })],
    ['other totals', (entry) => Object.assign(entry.read.totals[0] as object, { onHand: 11 })],
    ['less safety stock than is set', (entry) => Object.assign(entry.read.levels[0] as object, { safetyStock: 0 })],
    ['another level than it names', (entry) => Object.assign(entry.read.levels[0] as object, { storeId: 'HQ' })],
    ['no level at all', (entry) => Object.assign(entry.read, { levels: [] })],
    ['a hold that it does not name', (entry) => Object.assign(entry.read, { holds: entry.holds })],
    ['a gap', (entry) => Object.assign(entry, { seq: entry.seq + 1 })],
    ['another epoch', (entry) => Object.assign(entry, { epoch: 2 })],
    ['a time before the last', (entry) => Object.assign(entry, { at: 1 })],
    ['another outcome', (entry) => Object.assign(entry, { outcome: { status: 'insufficient', lines: [] } })],
    ['other lines', (entry) => Object.assign(entry.lines[0] as object, { reservedChange: 1 })],
    ['another hold', (entry) => Object.assign(entry.holds[0] as object, { expiresAt: 9 })],
  ];

  it.each(tampered)('rejects %s', (_name, change) => {
    entries.push(decided(engine, { type: 'configure-product', productId: 'P1', settings: settings(3) }));
    const reserve = structuredClone(decided(engine, reserveOf(2), 'r1'));
    check([...entries, reserve]);
    change(reserve);
    expect(() => check([...entries, reserve])).toThrow(EntryRejected);
  });
});
