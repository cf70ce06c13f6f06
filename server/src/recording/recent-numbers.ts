import { REMEMBERED_MAX } from './recent.ts';

const SLOTS_AT_FIRST = 1_024;
const GROWTH = 4;
/** Store numbers of one generation are below this, so that a product's and a store's make one exact number. */
const STORE_NUMBERS = 2 ** 20;
const PRODUCT_FACTOR = 0x9e3779b1;
const STORE_FACTOR = 0x85ebca6b;

/**
 * One generation. Ids are numbered as they come; the numbers of each key stand in one array, at the place that their
 * hash names or after it, the key before them.
 */
class Generation {
  numbers: Float64Array;
  size = 0;
  readonly #words: number;
  readonly #products = new Map<string, Map<string, number>>();
  readonly #stores = new Map<string, number>();
  #lastProduct = 0;
  #slots = SLOTS_AT_FIRST;

  constructor(width: number) {
    this.#words = width + 1;
    this.numbers = new Float64Array(this.#slots * this.#words);
  }

  find(hqId: string, productId: string, storeId: string): number {
    const product = this.#products.get(hqId)?.get(productId);
    const store = product === undefined ? undefined : this.#stores.get(storeId);
    if (product === undefined || store === undefined) return -1;
    const place = this.#placeOf(product, store);
    return this.numbers[place] === 0 ? -1 : place + 1;
  }

  add(hqId: string, productId: string, storeId: string): number {
    if (this.size * 2 >= this.#slots) this.#grow();
    const product = this.#productNo(hqId, productId);
    const store = this.#storeNo(storeId);
    const place = this.#placeOf(product, store);
    if (this.numbers[place] === 0) {
      this.numbers[place] = keyOf(product, store);
      this.size += 1;
    }
    return place + 1;
  }

  /** Where this key is, or would be. */
  #placeOf(product: number, store: number): number {
    const { numbers } = this;
    const words = this.#words;
    const key = keyOf(product, store);
    const hash = Math.imul(product, PRODUCT_FACTOR) + Math.imul(store, STORE_FACTOR);
    const mask = this.#slots - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    while (numbers[slot * words] !== 0 && numbers[slot * words] !== key) slot = (slot + 1) & mask;
    return slot * words;
  }

  #productNo(hqId: string, productId: string): number {
    let products = this.#products.get(hqId);
    if (products === undefined) {
      products = new Map();
      this.#products.set(hqId, products);
    }
    let number = products.get(productId);
    if (number === undefined) {
      // From 1 on: 0 stands for an empty place.
      this.#lastProduct += 1;
      number = this.#lastProduct;
      products.set(productId, number);
    }
    return number;
  }

  #storeNo(storeId: string): number {
    let number = this.#stores.get(storeId);
    if (number === undefined) {
      number = this.#stores.size;
      this.#stores.set(storeId, number);
    }
    return number;
  }

  #grow(): void {
    const old = this.numbers;
    const words = this.#words;
    this.#slots *= GROWTH;
    this.numbers = new Float64Array(this.#slots * words);
    for (let from = 0; from < old.length; from += words) {
      const key = old[from] as number;
      if (key === 0) continue;
      const place = this.#placeOf(Math.floor(key / STORE_NUMBERS), key % STORE_NUMBERS);
      for (let word = 0; word < words; word += 1) this.numbers[place + word] = old[from + word] as number;
    }
  }

  clear(): void {
    this.#products.clear();
    this.#stores.clear();
    this.#lastProduct = 0;
    this.numbers.fill(0);
    this.size = 0;
  }
}

function keyOf(product: number, store: number): number {
  return product * STORE_NUMBERS + store;
}

/**
 * Some numbers for each of the newest keys of HQ, product and store: at least the last `REMEMBERED_MAX` distinct ones.
 * As objects in maps of maps they were a seventh of an import's time on the deciding thread.
 */
export class RecentNumbers {
  #young: Generation;
  #old: Generation;
  /** Where `find` and `place` point into, until one of them is called again. */
  numbers: Float64Array;

  constructor(width: number) {
    this.#young = new Generation(width);
    this.#old = new Generation(width);
    this.numbers = this.#young.numbers;
  }

  /** Index of the first number of this key in `numbers`; -1: it is not remembered. */
  find(hqId: string, productId: string, storeId: string): number {
    const young = this.#young.find(hqId, productId, storeId);
    this.numbers = young < 0 ? this.#old.numbers : this.#young.numbers;
    return young < 0 ? this.#old.find(hqId, productId, storeId) : young;
  }

  /** Index in `numbers` where the numbers of this key are to be written, all of them. */
  place(hqId: string, productId: string, storeId: string): number {
    if (this.#young.size >= REMEMBERED_MAX) this.#turn();
    const at = this.#young.add(hqId, productId, storeId);
    this.numbers = this.#young.numbers;
    return at;
  }

  #turn(): void {
    const young = this.#old;
    this.#old = this.#young;
    this.#young = young;
    young.clear();
  }
}
