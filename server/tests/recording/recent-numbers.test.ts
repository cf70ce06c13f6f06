import fc from 'fast-check';
import { expect, it } from 'vitest';
import { REMEMBERED_MAX } from '../../src/recording/recent.ts';
import { RecentNumbers } from '../../src/recording/recent-numbers.ts';

type Key = [hqId: string, productId: string, storeId: string];

function put(recent: RecentNumbers, key: Key, value: number): void {
  const at = recent.place(...key);
  recent.numbers[at] = value;
  recent.numbers[at + 1] = -value;
}

function get(recent: RecentNumbers, key: Key): [number, number] | undefined {
  const at = recent.find(...key);
  return at < 0 ? undefined : [recent.numbers[at] as number, recent.numbers[at + 1] as number];
}

it('gives back what was put last under a key, and nothing else', () => {
  const id = fc.constantFrom('', 'A', 'B', 'AB', 'BA');
  const puts = fc.array(fc.tuple(id, id, id, fc.integer()), { maxLength: 100 });
  fc.assert(
    fc.property(puts, (all) => {
      const recent = new RecentNumbers(2);
      const model = new Map<string, number>();
      for (const [hqId, productId, storeId, value] of all) {
        const key: Key = [hqId, productId, storeId];
        const known = model.get(key.join('/'));
        expect(get(recent, key)).toEqual(known === undefined ? undefined : [known, -known]);
        put(recent, key, value);
        model.set(key.join('/'), value);
      }
      for (const [key, value] of model) expect(get(recent, key.split('/') as Key)).toEqual([value, -value]);
    }),
  );
});

it('remembers at least the newest keys, and forgets the others', () => {
  const recent = new RecentNumbers(2);
  const keyOf = (index: number): Key => [`HQ${index % 2}`, `P${Math.floor(index / 7)}`, `S${index % 7}`];
  const count = 4.5 * REMEMBERED_MAX;
  for (let index = 0; index < count; index += 1) put(recent, keyOf(index), index);
  for (let index = count - REMEMBERED_MAX; index < count; index += 1)
    expect(recent.find(...keyOf(index)) >= 0).toBe(true);
  expect(get(recent, keyOf(count - 1))).toEqual([count - 1, 1 - count]);
  let known = 0;
  for (let index = 0; index < count; index += 1) if (recent.find(...keyOf(index)) >= 0) known += 1;
  expect(known).toBeLessThanOrEqual(2 * REMEMBERED_MAX);
});
