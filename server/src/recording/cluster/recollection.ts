/** Brings back to the recorder's memory what was recorded last: from the projections, and from the entries after them. */
import type { Ledger } from '../../ledger/ledger.ts';
import { changesOf, type Entry } from '../../stock/entry.ts';
import { decodeEntry } from '../../stock/entry-codec.ts';
import type { RecordedHead } from '../../stock/stock-engine.ts';
import type { ProjectedKeys, ProjectedReads, ProjectedRows } from './projected-rows.ts';
import type { ProjectedStock } from './projected-stock.ts';

/** Entries of one read of the ledger. */
const ENTRIES_PER_READ = 1_000;

/** Entries that are about to be checked, and what is remembered of their partition. */
interface Reading {
  stock: ProjectedStock;
  entries: readonly Entry[];
}

export class Recollection {
  readonly #ledger: Pick<Ledger, 'entries'>;
  readonly #projected: ProjectedReads;

  constructor(ledger: Pick<Ledger, 'entries'>, projected: ProjectedReads) {
    this.#ledger = ledger;
    this.#projected = projected;
  }

  /** What these entries read and is not remembered, to be learnt. */
  async missing<T extends Reading>(
    readings: readonly T[],
  ): Promise<{ reading: T; keys: ProjectedKeys; rows: ProjectedRows }[]> {
    const missing = readings.flatMap((reading) => {
      const keys = reading.stock.missing(reading.entries);
      return keys === null ? [] : [{ reading, keys }];
    });
    if (missing.length === 0) return [];
    const found = await this.#projected.read(missing.map(({ keys }) => keys));
    return missing.map(({ reading, keys }) => {
      const rows = found.find(({ partition }) => partition === keys.partition);
      if (rows === undefined) throw new Error(`the projections say nothing of partition ${keys.partition}`);
      return { reading, keys, rows };
    });
  }

  /** How far the projections of these partitions are. */
  async projected(partitions: readonly number[]): Promise<Map<number, number>> {
    const rows = await this.#projected.read(partitions.map(noKeys));
    return new Map(rows.map(({ partition, seq }) => [partition, seq]));
  }

  /** Remembers every change after `seq`, which the projections have reached, up to the head. */
  async recallSince(seq: number, { partition, seq: headSeq }: RecordedHead, stock: ProjectedStock): Promise<void> {
    stock.beginAfter(seq);
    for (let reached = seq; reached < headSeq; ) {
      const stored = await this.#ledger.entries(partition, reached, ENTRIES_PER_READ);
      const entries = stored.map(({ body }) => decodeEntry(body)).filter((entry) => entry.seq <= headSeq);
      if (entries.length === 0)
        throw new Error(`partition ${partition}: the ledger has no entry after ${reached}, its head says ${headSeq}`);
      for (const { keys, rows } of await this.missing([{ stock, entries }])) stock.learn(keys, rows);
      for (const entry of entries) stock.remember(entry, changesOf(entry));
      reached = entries.at(-1)?.seq ?? headSeq;
    }
  }
}

function noKeys(partition: number): ProjectedKeys {
  return { partition, levels: [], products: [], stores: [], reservationIds: [] };
}
