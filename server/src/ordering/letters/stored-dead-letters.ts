import { randomUUID } from 'node:crypto';
import type { Page } from '../../projections/history-reads.ts';
import { decodePageCursor, encodePageCursor } from '../../projections/page-cursor.ts';
import type {
  BlockedKeys,
  ClaimedLetter,
  Correction,
  DeadLetter,
  DeadLetters,
  GroupVersions,
  LetterQuery,
  NewLetter,
  OpenKey,
} from './dead-letters.ts';
import { type LetterRecord, letterOf, rowIdOf } from './letter-rows.ts';
import type { Claim, LetterPage, LetterStatements, LetterWork } from './letter-work.ts';

/** Whoever has claimed a letter and says nothing for so long has died: another may claim it. */
const LEASE_MS = 30_000;

type Methods = { [Name in keyof LetterStatements]: LetterStatements[Name] };
type ResultOf<Name extends keyof Methods> = ReturnType<Methods[Name]> extends LetterWork<infer Result> ? Result : never;

/** Where the rows are: an adapter carries the statements out. */
export interface LetterStore {
  /** In one transaction, all of it durable or none. */
  change<Name extends keyof Methods>(name: Name, ...args: Parameters<Methods[Name]>): Promise<ResultOf<Name>>;
  read<Name extends keyof Methods>(name: Name, ...args: Parameters<Methods[Name]>): Promise<ResultOf<Name>>;
}

export interface StoredDeadLettersParts {
  store: LetterStore;
  /** Epoch milliseconds. */
  now: () => number;
  leaseMs?: number;
}

/** Dead letters in the ledger's database. */
export class StoredDeadLetters implements DeadLetters {
  readonly #store: LetterStore;
  readonly #now: () => number;
  readonly #leaseMs: number;

  constructor({ store, now, leaseMs = LEASE_MS }: StoredDeadLettersParts) {
    this.#store = store;
    this.#now = now;
    this.#leaseMs = leaseMs;
  }

  park(letter: NewLetter): Promise<void> {
    return this.#store.change('park', letter, this.#now());
  }

  queueBehind(letter: NewLetter): Promise<boolean> {
    return this.#store.change('queueBehind', letter, this.#now());
  }

  blockedKeys(seen: GroupVersions): Promise<BlockedKeys> {
    return this.#store.read('blockedKeys', seen);
  }

  strandedKeys(limit: number): Promise<OpenKey[]> {
    return this.#store.read('stranded', limit);
  }

  async list(query: LetterQuery): Promise<Page<DeadLetter>> {
    const [beforeId] = decodePageCursor('dead-letters', [0], query.cursor) ?? [Number.MAX_SAFE_INTEGER];
    const { rows, more }: LetterPage = await this.#store.read('list', query, beforeId);
    const last = rows.at(-1);
    const nextCursor = more && last !== undefined ? encodePageCursor('dead-letters', [last.id]) : null;
    return { items: rows.map(letterOf), nextCursor };
  }

  async get(id: string): Promise<DeadLetter | null> {
    const rowId = rowIdOf(id);
    const row = rowId === null ? null : await this.#store.read('get', rowId);
    return row === null ? null : letterOf(row);
  }

  async correct(id: string, correction: Correction, by: string): Promise<boolean> {
    const rowId = rowIdOf(id);
    return rowId !== null && this.#store.change('correct', rowId, correction, by);
  }

  async claim(id: string, by: string): Promise<ClaimedLetter | null> {
    const rowId = rowIdOf(id);
    if (rowId === null) return null;
    const claim = randomUUID();
    const row = await this.#store.change('claim', rowId, claim, this.#leaseMs);
    return row === null ? null : this.#claimed(row, { claim, by });
  }

  async claimNext(open: OpenKey): Promise<ClaimedLetter | null> {
    const claim = randomUUID();
    const next = await this.#store.change('claimNext', open, claim, this.#leaseMs);
    return next === null ? null : this.#claimed(next.row, { claim, by: next.by });
  }

  #claimed(row: LetterRecord, claim: Claim): ClaimedLetter {
    return {
      letter: letterOf(row),
      done: () => this.#store.change('done', row.id, claim),
      parkAgain: (code, reason) => this.#store.change('parkAgain', row.id, claim, code, reason),
      release: () => this.#store.change('release', row.id, claim.claim),
    };
  }

  async drop(id: string, by: string): Promise<boolean> {
    const rowId = rowIdOf(id);
    return rowId !== null && this.#store.change('drop', rowId, by);
  }

  async unsent(limit: number): Promise<DeadLetter[]> {
    return (await this.#store.read('unsent', limit)).map(letterOf);
  }

  async sent(ids: readonly string[]): Promise<void> {
    await this.#store.change(
      'sent',
      ids.map(rowIdOf).filter((id) => id !== null),
    );
  }

  counts(): Promise<{ parked: number; waiting: number }> {
    return this.#store.read('counts');
  }
}
