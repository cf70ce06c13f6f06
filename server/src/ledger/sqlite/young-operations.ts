import type { DatabaseSync } from 'node:sqlite';
import { PARTITION_COUNT } from '../../stock/limits.ts';
import type { FoundOperation } from '../ledger.ts';
import { OperationIndex } from './operation-index.ts';

/** Ids that are forgotten for each one that is added, once the index holds them. */
const FORGET_PER_ADD = 4;
const READ_AT_ONCE = 100_000;

interface Young {
  key: string;
  partition: number;
  seq: number;
}

/**
 * The operation ids of the ledger's writer: those not yet in the index are here, oldest first. The writer is the only
 * one that records, so an id that is neither here nor in the index is free.
 */
export class YoungOperations {
  readonly #index: OperationIndex;
  readonly #entryAt: (partition: number, seq: number) => FoundOperation | null;
  readonly #places = new Map<string, Young>();
  #queue: Young[] = [];
  #forgotten = 0;
  #indexed: Map<number, number>;

  constructor(database: DatabaseSync) {
    this.#index = new OperationIndex(database);
    this.#indexed = this.#index.indexed();
    const find = database.prepare(
      `select hq_id as hqId, operation_id as operationId, partition_id as "partition", seq, fingerprint
       from main.entries where partition_id = ? and seq = ?`,
    );
    this.#entryAt = (partition, seq) => (find.get(partition, seq) as unknown as FoundOperation | undefined) ?? null;
    for (let partition = 0; partition < PARTITION_COUNT; partition += 1) this.#load(partition);
  }

  get size(): number {
    return this.#places.size;
  }

  #load(partition: number): void {
    while (this.#index.missing(partition, READ_AT_ONCE + 1).length > READ_AT_ONCE) this.#index.fold();
    for (const { hqId, operationId, seq } of this.#index.missing(partition, READ_AT_ONCE)) {
      this.add(hqId, operationId, partition, seq);
    }
    this.#indexed = this.#index.indexed();
  }

  /** The recorded entry that has this id. */
  find(hqId: string, operationId: string): FoundOperation | null {
    const young = this.#places.get(`${hqId}/${operationId}`);
    return young === undefined ? this.#index.find(hqId, operationId) : this.#entryAt(young.partition, young.seq);
  }

  /** Remembers an id that was just recorded. */
  add(hqId: string, operationId: string, partition: number, seq: number): void {
    const young = { key: `${hqId}/${operationId}`, partition, seq };
    this.#places.set(young.key, young);
    this.#queue.push(young);
    for (let count = 0; count < FORGET_PER_ADD; count += 1) if (!this.#forgetOldest()) break;
  }

  #forgetOldest(): boolean {
    const oldest = this.#queue[this.#forgotten];
    if (oldest === undefined || oldest.seq > (this.#indexed.get(oldest.partition) ?? 0)) return false;
    this.#places.delete(oldest.key);
    this.#forgotten += 1;
    if (this.#forgotten > READ_AT_ONCE) {
      this.#queue = this.#queue.slice(this.#forgotten);
      this.#forgotten = 0;
    }
    return true;
  }

  /** Looks how far the index has come; what it holds is forgotten bit by bit. */
  reviewIndex(): void {
    this.#indexed = this.#index.indexed();
  }
}
