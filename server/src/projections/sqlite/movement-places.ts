import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { PlaceHeap, type SeqRange, startOf } from '../movement-merge.ts';
import type { MovementKey } from '../projection-store.ts';

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
    const heap = new PlaceHeap<number>();
    for (const { levelId, seq } of this.#find(hqNo, place)) {
      if (seq >= range.from) heap.push({ level: levelId, ...startOf(seq, after, range), known: false });
    }
    for (let head = heap.pop(); head !== undefined; head = heap.pop()) {
      if (head.known) yield [head.seq, head.line];
      const older = this.#older.get(head.level, head.seq, head.line) as { seq: number; line: number } | undefined;
      if (older === undefined || older.seq < range.from) continue;
      heap.push({ level: head.level, ...older, known: true });
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
