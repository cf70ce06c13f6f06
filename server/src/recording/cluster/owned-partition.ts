import type { Entry } from '../../stock/entry.ts';
import type { SharedHead } from '../../stock/shared-engine.ts';
import { EntryChecker } from '../entry-checker.ts';
import { ProjectedStock } from './projected-stock.ts';

export type Phase =
  /** Its head and what was recorded since the projections' cursor are being read. */
  | 'taken'
  | 'open'
  /** Its engine is being filled under a new epoch. */
  | 'quarantined'
  /** For an operator, or for a recorder of a newer version. */
  | 'waiting';

/** A partition that this process records. */
export class OwnedPartition {
  readonly partition: number;
  /** Both anew after each `invalidate`, so that what was begun before it cannot disturb them. */
  stock!: ProjectedStock;
  checker!: EntryChecker;
  phase: Phase = 'taken';
  waitsForOperator = false;
  /** Changes whenever what was read and checked before means nothing any more. */
  generation = 0;
  #head: SharedHead | null = null;
  #position: SharedHead | null = null;

  constructor(partition: number) {
    this.partition = partition;
    this.invalidate('taken');
  }

  /** The recorded head, the last one that this process knows; null: not read yet. */
  get head(): SharedHead | null {
    return this.#head;
  }

  /** Where reading goes on: ahead of the head by what is checked and not recorded yet. */
  get position(): SharedHead {
    if (this.#position === null) throw new Error(`the head of partition ${this.partition} was not read yet`);
    return this.#position;
  }

  /** From here on, whatever was read before. */
  adopt(head: SharedHead): void {
    this.#head = head;
    this.#position = head;
  }

  /** What was read and is not recorded is void. */
  invalidate(phase: Phase): void {
    this.phase = phase;
    this.waitsForOperator = false;
    this.generation += 1;
    this.stock = new ProjectedStock(this.partition);
    this.checker = new EntryChecker(this.stock);
  }

  /** Stops reading; what was read and checked may still be recorded. */
  pause(phase: Phase): void {
    this.phase = phase;
  }

  checked(entry: Entry, mark: string): void {
    this.#position = { ...this.position, epoch: entry.epoch, seq: entry.seq, at: entry.at, mark };
  }

  recorded(head: SharedHead): void {
    this.#head = head;
  }
}
