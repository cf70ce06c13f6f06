import type { StoredEntry } from '../../ledger/ledger.ts';

/** Entries that were read longer ago are read anew: the ledger may have been put back since. */
const AHEAD_MS_MAX = 1_000;

interface Ahead {
  afterSeq: number;
  since: number;
  entries: Promise<StoredEntry[]>;
}

export interface EntriesAheadParts {
  read: (partition: number, afterSeq: number, limit: number) => Promise<StoredEntry[]>;
  /** Entries of one read at most. */
  limit: number;
  /** Milliseconds, always rising. */
  clock?: () => number;
}

/**
 * Reads a partition's backlog before it is asked for: while the entries of one read are worked on, the database looks up
 * the next ones (publishing 500 000 entries: 52 000 → 60 000 events/s). Nothing is read ahead where the ledger ends.
 */
export class EntriesAhead {
  readonly #parts: Required<EntriesAheadParts>;
  readonly #ahead = new Map<number, Ahead>();

  constructor({ clock = () => performance.now(), ...parts }: EntriesAheadParts) {
    this.#parts = { ...parts, clock };
  }

  /** The entries of a partition after a sequence number, in their order. */
  async after(partition: number, afterSeq: number): Promise<StoredEntry[]> {
    const { read, limit } = this.#parts;
    const ahead = await this.#taken(partition, afterSeq);
    // What ended at the ledger's end may be too short by now.
    const entries = ahead.length > 0 ? ahead : await read(partition, afterSeq, limit);
    if (entries.length === limit) this.#begin(partition, (entries.at(-1) as StoredEntry).seq);
    return entries;
  }

  async #taken(partition: number, afterSeq: number): Promise<StoredEntry[]> {
    const oldest = this.#parts.clock() - AHEAD_MS_MAX;
    for (const [of, { since }] of this.#ahead) if (since < oldest) this.#ahead.delete(of);
    const ahead = this.#ahead.get(partition);
    this.#ahead.delete(partition);
    return ahead?.afterSeq === afterSeq ? ahead.entries : [];
  }

  #begin(partition: number, afterSeq: number): void {
    const { read, limit, clock } = this.#parts;
    const entries = read(partition, afterSeq, limit);
    // Who asks for them hears of it.
    entries.catch(() => undefined);
    this.#ahead.set(partition, { afterSeq, since: clock(), entries });
  }
}
