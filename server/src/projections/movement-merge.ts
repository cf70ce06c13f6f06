/** What every way of reading movements shares: which rows fit a query, and the merging of the levels' own orders. */
import type { MovementRow } from './history-reads.ts';
import type { MovementKey, MovementStoreQuery } from './projection-store.ts';

export interface SeqRange {
  /** Inclusive. */
  from: number;
  to: number;
}

/** Where a level's next older movement is: known, or at most there. */
export interface LevelPlace<Level> {
  level: Level;
  seq: number;
  line: number;
  known: boolean;
}

/** The place below which a level's movements are looked for. */
export function startOf(updatedSeq: number, after: MovementKey | null, range: SeqRange): { seq: number; line: number } {
  const end = { seq: Math.min(updatedSeq, range.to) + 1, line: 0 };
  if (after === null || after[0] >= end.seq) return end;
  return { seq: after[0], line: after[1] };
}

/** A binary heap, the newest place on top; of equal places an unknown one first, for it must be looked up. */
export class PlaceHeap<Level> {
  readonly #places: LevelPlace<Level>[] = [];

  push(place: LevelPlace<Level>): void {
    const places = this.#places;
    let index = places.push(place) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(place, places[parent] as LevelPlace<Level>)) break;
      places[index] = places[parent] as LevelPlace<Level>;
      index = parent;
    }
    places[index] = place;
  }

  pop(): LevelPlace<Level> | undefined {
    const places = this.#places;
    const first = places[0];
    const last = places.pop();
    if (first === undefined || last === undefined || places.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= places.length) break;
      const next = places[child + 1];
      if (next !== undefined && isBefore(next, places[child] as LevelPlace<Level>)) child += 1;
      if (!isBefore(places[child] as LevelPlace<Level>, last)) break;
      places[index] = places[child] as LevelPlace<Level>;
      index = child;
    }
    places[index] = last;
    return first;
  }
}

function isBefore(one: LevelPlace<unknown>, other: LevelPlace<unknown>): boolean {
  if (one.seq !== other.seq) return one.seq > other.seq;
  if (one.line !== other.line) return one.line > other.line;
  return !one.known && other.known;
}

export function fitsQuery(row: MovementRow, { storeId, productId, referenceId }: MovementStoreQuery): boolean {
  return (
    (storeId === undefined || row.storeId === storeId) &&
    (productId === undefined || row.productId === productId) &&
    (referenceId === undefined || row.referenceId === referenceId)
  );
}

export function isAfter(seq: number, line: number, after: MovementKey | null): boolean {
  return after === null || seq < after[0] || (seq === after[0] && line < after[1]);
}

/** The entry that a reference names itself (`ent_<partition>_<seq>`), if it is of this partition. */
export function seqNamedBy(referenceId: string, partition: number): number | null {
  const named = /^ent_(\d+)_(\d+)$/.exec(referenceId);
  return named !== null && Number(named[1]) === partition ? Number(named[2]) : null;
}
