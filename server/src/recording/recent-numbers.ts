import { REMEMBERED_MAX } from './recent.ts';

const SLOTS_AT_FIRST = 1_024;
const GROWTH = 4;
/** Ids that are numbered before all is forgotten, of stores and of products: their numbers make one exact number. */
const IDS_MAX = 2 ** 20;
const PRODUCT_FACTOR = 0x9e3779b1;
const STORE_FACTOR = 0x85ebca6b;

/** Numbers of stores and products, from 1 on; 0: it has none yet. What was asked for last is kept at hand. */
class Ids {
  readonly #stores = new Map<string, number>();
  readonly #hqs = new Map<string, Map<string, number>>();
  #productCount = 0;
  #storeId: string | null = null;
  #store = 0;
  #hqId: string | null = null;
  #products = new Map<string, number>();

  get isFull(): boolean {
    return this.#productCount >= IDS_MAX / 2 || this.#stores.size >= IDS_MAX / 2;
  }

  store(storeId: string): number {
    if (storeId === this.#storeId) return this.#store;
    return this.#stores.get(storeId) ?? 0;
  }

  product(hqId: string, productId: string): number {
    return this.#productsOf(hqId).get(productId) ?? 0;
  }

  #productsOf(hqId: string): Map<string, number> {
    if (hqId === this.#hqId) return this.#products;
    let products = this.#hqs.get(hqId);
    if (products === undefined) {
      products = new Map();
      this.#hqs.set(hqId, products);
    }
    this.#hqId = hqId;
    this.#products = products;
    return products;
  }

  addStore(storeId: string): number {
    if (storeId === this.#storeId) return this.#store;
    let store = this.#stores.get(storeId);
    if (store === undefined) {
      store = this.#stores.size + 1;
      this.#stores.set(storeId, store);
    }
    this.#storeId = storeId;
    this.#store = store;
    return store;
  }

  addProduct(hqId: string, productId: string): number {
    const products = this.#productsOf(hqId);
    let product = products.get(productId);
    if (product === undefined) {
      this.#productCount += 1;
      product = this.#productCount;
      products.set(productId, product);
    }
    return product;
  }
}

/** One generation: keys in a table by their hash, and the numbers of each at the same place of another. */
class Generation {
  numbers: Float64Array;
  size = 0;
  readonly #width: number;
  #keys: Float64Array;

  constructor(width: number) {
    this.#width = width;
    this.#keys = new Float64Array(SLOTS_AT_FIRST);
    this.numbers = new Float64Array(SLOTS_AT_FIRST * width);
  }

  find(product: number, store: number): number {
    const slot = this.#slotOf(product, store);
    return this.#keys[slot] === 0 ? -1 : slot * this.#width;
  }

  add(product: number, store: number): number {
    if (this.size * 2 >= this.#keys.length) this.#grow();
    const slot = this.#slotOf(product, store);
    if (this.#keys[slot] === 0) {
      this.#keys[slot] = product * IDS_MAX + store;
      this.size += 1;
    }
    return slot * this.#width;
  }

  /** Where this key is, or would be. */
  #slotOf(product: number, store: number): number {
    const keys = this.#keys;
    const key = product * IDS_MAX + store;
    const mask = keys.length - 1;
    let hash = Math.imul(product, PRODUCT_FACTOR) ^ Math.imul(store, STORE_FACTOR);
    hash = Math.imul(hash ^ (hash >>> 15), STORE_FACTOR);
    let slot = (hash ^ (hash >>> 13)) & mask;
    while (keys[slot] !== 0 && keys[slot] !== key) slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const [keys, numbers, width] = [this.#keys, this.numbers, this.#width];
    this.#keys = new Float64Array(keys.length * GROWTH);
    this.numbers = new Float64Array(numbers.length * GROWTH);
    for (let from = 0; from < keys.length; from += 1) {
      const key = keys[from] as number;
      if (key === 0) continue;
      const slot = this.#slotOf(Math.floor(key / IDS_MAX), key % IDS_MAX);
      this.#keys[slot] = key;
      for (let index = 0; index < width; index += 1)
        this.numbers[slot * width + index] = numbers[from * width + index] as number;
    }
  }

  clear(): void {
    this.#keys.fill(0);
    this.size = 0;
  }
}

/**
 * Some numbers for each of the newest keys of HQ, product and store: at least the last `REMEMBERED_MAX` distinct ones,
 * unless there are more than half a million ids: then all is forgotten once for each half a million of them.
 */
export class RecentNumbers {
  #young: Generation;
  #old: Generation;
  #ids = new Ids();
  /** Where `find` and `place` point into, until one of them is called again. */
  numbers: Float64Array;

  constructor(width: number) {
    this.#young = new Generation(width);
    this.#old = new Generation(width);
    this.numbers = this.#young.numbers;
  }

  /** Index of the first number of this key in `numbers`; -1: it is not remembered. */
  find(hqId: string, productId: string, storeId: string): number {
    const product = this.#ids.product(hqId, productId);
    const store = product === 0 ? 0 : this.#ids.store(storeId);
    if (store === 0) return -1;
    const at = this.#young.find(product, store);
    this.numbers = at < 0 ? this.#old.numbers : this.#young.numbers;
    return at < 0 ? this.#old.find(product, store) : at;
  }

  /** Index in `numbers` where the numbers of this key are to be written, all of them. */
  place(hqId: string, productId: string, storeId: string): number {
    if (this.#young.size >= REMEMBERED_MAX) this.#turn();
    const at = this.#young.add(this.#ids.addProduct(hqId, productId), this.#ids.addStore(storeId));
    this.numbers = this.#young.numbers;
    return at;
  }

  #turn(): void {
    const young = this.#old;
    this.#old = this.#young;
    this.#young = young;
    young.clear();
    if (!this.#ids.isFull) return;
    this.#ids = new Ids();
    this.#old.clear();
  }
}
