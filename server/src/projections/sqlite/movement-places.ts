import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { MovementKey } from '../projection-store.ts';

/** Where a level's next older movement is: known, or at most there. */
interface Head {
  levelId: number;
  seq: number;
  line: number;
  known: boolean;
}

export interface SeqRange {
  /** Inclusive. */
  from: number;
  to: number;
}

/**
 * The movements of several levels, newest first: a merge of the levels' own orders. Only those whose turn comes are
 * looked up, so a page costs about as many seeks as it has rows, plus one for each level that moved since.
 */
export class MovementPlaces {
  readonly #levels: Record<'store' | 'product' | 'level', StatementSync>;
  readonly #older: StatementSync;

  constructor(database: DatabaseSync) {
    const levels = (place: string) =>
      database.prepare(
        `select l.level_id as levelId, l.updated_seq as seq from level_keys k cross join levels l on l.level_id = k.level_id
         where k.hq_no = ? and ${place}`,
      );
    this.#levels = {
      store: levels('k.store_id = ?'),
      product: levels('k.product_id = ?'),
      level: levels('k.store_id = ? and k.product_id = ?'),
    };
    this.#older = database.prepare(
      `select seq, line from movements where level_id = ? and (seq, line) < (?, ?) order by seq desc, line desc limit 1`,
    );
  }

  *newestFirst(
    hqNo: number,
    place: { storeId?: string; productId?: string },
    after: MovementKey | null,
    range: SeqRange,
  ): Generator<MovementKey> {
    const heap = new HeadHeap();
    for (const { levelId, seq } of this.#find(hqNo, place)) {
      if (seq >= range.from) heap.push({ levelId, ...startOf(seq, after, range), known: false });
    }
    for (let head = heap.pop(); head !== undefined; head = heap.pop()) {
      if (head.known) yield [head.seq, head.line];
      const older = this.#older.get(head.levelId, head.seq, head.line) as { seq: number; line: number } | undefined;
      if (older === undefined || older.seq < range.from) continue;
      heap.push({ levelId: head.levelId, ...older, known: true });
    }
  }

  #find(
    hqNo: number,
    { storeId, productId }: { storeId?: string; productId?: string },
  ): { levelId: number; seq: number }[] {
    const rows = () => {
      if (storeId === undefined) return this.#levels.product.all(hqNo, productId ?? '');
      return productId === undefined
        ? this.#levels.store.all(hqNo, storeId)
        : this.#levels.level.all(hqNo, storeId, productId);
    };
    return rows() as unknown as { levelId: number; seq: number }[];
  }
}

/** The place below which a level's movements are looked for. */
function startOf(updatedSeq: number, after: MovementKey | null, range: SeqRange): { seq: number; line: number } {
  const end = { seq: Math.min(updatedSeq, range.to) + 1, line: 0 };
  if (after === null || after[0] >= end.seq) return end;
  return { seq: after[0], line: after[1] };
}

/** A binary heap, the newest place on top; of equal places an unknown one first, for it must be looked up. */
class HeadHeap {
  readonly #heads: Head[] = [];

  push(head: Head): void {
    const heads = this.#heads;
    let index = heads.push(head) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(head, heads[parent] as Head)) break;
      heads[index] = heads[parent] as Head;
      index = parent;
    }
    heads[index] = head;
  }

  pop(): Head | undefined {
    const heads = this.#heads;
    const first = heads[0];
    const last = heads.pop();
    if (first === undefined || last === undefined || heads.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heads.length) break;
      if (child + 1 < heads.length && isBefore(heads[child + 1] as Head, heads[child] as Head)) child += 1;
      if (!isBefore(heads[child] as Head, last)) break;
      heads[index] = heads[child] as Head;
      index = child;
    }
    heads[index] = last;
    return first;
  }
}

function isBefore(one: Head, other: Head): boolean {
  if (one.seq !== other.seq) return one.seq > other.seq;
  if (one.line !== other.line) return one.line > other.line;
  return !one.known && other.known;
}
