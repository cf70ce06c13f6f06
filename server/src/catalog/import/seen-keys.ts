const SLOTS_AT_FIRST = 1 << 14;
/** Two halves of the hash, the line, and one to fill up: a slot lies within one cache line. */
const WORDS = 4;

/**
 * Which keys a file has shown, and on which line: 16 bytes a slot, at most half of them taken, so 32 MB for a million
 * rows, whatever the keys. Keys are told apart by 64 bits of hash: two different ones of a file of a million are taken
 * for the same once in some 30 million files.
 */
export class SeenKeys {
  #slots = new Uint32Array(SLOTS_AT_FIRST * WORDS);
  #count = 0;

  /** The line on which this key was seen before; 0: it is new, and seen from now on. */
  add(one: string, other: string, line: number): number {
    let high = 0x811c9dc5;
    let low = 0x9747b28c;
    for (let index = 0; index < one.length; index += 1) {
      const code = one.charCodeAt(index);
      high = Math.imul(high ^ code, 0x5bd1e995);
      high ^= high >>> 15;
      low = Math.imul(low ^ code, 0x01000193);
    }
    // Ids hold no slash, so the two parts are told apart.
    high = Math.imul(high ^ 0x2f, 0x5bd1e995);
    low = Math.imul(low ^ 0x2f, 0x01000193);
    for (let index = 0; index < other.length; index += 1) {
      const code = other.charCodeAt(index);
      high = Math.imul(high ^ code, 0x5bd1e995);
      high ^= high >>> 15;
      low = Math.imul(low ^ code, 0x01000193);
    }
    return this.#place(mix(high), mix(low), line);
  }

  #place(high: number, low: number, line: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let at = (low * WORDS) & mask;
    for (;;) {
      const found = slots[at + 2] as number;
      if (found === 0) break;
      if (slots[at] === high && slots[at + 1] === low) return found;
      at = (at + WORDS) & mask;
    }
    slots[at] = high;
    slots[at + 1] = low;
    slots[at + 2] = line;
    this.#count += 1;
    if (this.#count * 2 * WORDS > slots.length) this.#grow();
    return 0;
  }

  #grow(): void {
    const old = this.#slots;
    const slots = new Uint32Array(old.length * 2);
    const mask = slots.length - 1;
    for (let from = 0; from < old.length; from += WORDS) {
      if (old[from + 2] === 0) continue;
      let at = ((old[from + 1] as number) * WORDS) & mask;
      while (slots[at + 2] !== 0) at = (at + WORDS) & mask;
      slots[at] = old[from] as number;
      slots[at + 1] = old[from + 1] as number;
      slots[at + 2] = old[from + 2] as number;
    }
    this.#slots = slots;
  }
}

/** The end of MurmurHash3: every bit of the input moves every bit of the result. */
function mix(hash: number): number {
  let value = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
