/** Chance that can be repeated: the same seed gives the same demo. */
export type Chance = () => number;

/** mulberry32, by Tommy Ettinger (public domain). */
export function chanceOf(seed: number): Chance {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Picks by weight. */
export class Lottery<T> {
  readonly #tickets: { item: T; upTo: number }[] = [];
  readonly #total: number;

  constructor(items: readonly T[], weightOf: (item: T, index: number) => number) {
    let total = 0;
    for (const [index, item] of items.entries()) {
      total += weightOf(item, index);
      this.#tickets.push({ item, upTo: total });
    }
    this.#total = total;
  }

  draw(chance: Chance): T {
    const at = chance() * this.#total;
    let low = 0;
    let high = this.#tickets.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#tickets[middle] as { upTo: number }).upTo > at) high = middle;
      else low = middle + 1;
    }
    return (this.#tickets[low] as { item: T }).item;
  }
}

export function shuffled<T>(items: readonly T[], chance: Chance): T[] {
  const result = [...items];
  for (let index = result.length - 1; index > 0; index -= 1) {
    const other = Math.floor(chance() * (index + 1));
    [result[index], result[other]] = [result[other] as T, result[index] as T];
  }
  return result;
}
