const SLOTS_AT_FIRST = 1 << 12;

/**
 * Which keys a file has shown, and on which line: 12 bytes a slot, at most half of them taken, so 24 to 48 MB for a
 * million rows, whatever the keys. Keys are told apart by 64 bits of hash: two different ones of a file of a million
 * are taken for the same once in some 30 million files.
 */
export class SeenKeys {
  #high = new Uint32Array(SLOTS_AT_FIRST);
  #low = new Uint32Array(SLOTS_AT_FIRST);
  /** 0: the slot is free. */
  #lines = new Uint32Array(SLOTS_AT_FIRST);
  #count = 0;

  /** The line on which this key was seen before; 0: it is new, and seen from now on. */
  add(one: string, other: string, line: number): number {
    const high = mix(hash(one, 0x811c9dc5), other);
    const low = mix(hash(one, 0x9747b28c), other);
    let slot = low & (this.#lines.length - 1);
    for (;;) {
      const found = this.#lines[slot] as number;
      if (found === 0) break;
      if (this.#high[slot] === high && this.#low[slot] === low) return found;
      slot = (slot + 1) & (this.#lines.length - 1);
    }
    this.#high[slot] = high;
    this.#low[slot] = low;
    this.#lines[slot] = line;
    this.#count += 1;
    if (this.#count * 2 > this.#lines.length) this.#grow();
    return 0;
  }

  #grow(): void {
    const [high, low, lines] = [this.#high, this.#low, this.#lines];
    const size = lines.length * 2;
    this.#high = new Uint32Array(size);
    this.#low = new Uint32Array(size);
    this.#lines = new Uint32Array(size);
    for (let index = 0; index < lines.length; index += 1) {
      if (lines[index] === 0) continue;
      let slot = (low[index] as number) & (size - 1);
      while (this.#lines[slot] !== 0) slot = (slot + 1) & (size - 1);
      this.#high[slot] = high[index] as number;
      this.#low[slot] = low[index] as number;
      this.#lines[slot] = lines[index] as number;
    }
  }
}

/** Ids hold no slash, so the two are told apart. */
function mix(begun: number, text: string): number {
  let value = hash(text, Math.imul(begun ^ 0x2f, 0x01000193));
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

/** The step of MurmurHash2 for each character: unlike FNV's it spreads over all 32 bits within a few. */
function hash(text: string, seed: number): number {
  let value = seed;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x5bd1e995);
    value ^= value >>> 15;
  }
  return value;
}
