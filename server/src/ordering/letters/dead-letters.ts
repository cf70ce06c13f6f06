/** Messages that could not be handled, and those that wait behind them. Nothing here is ever forgotten by itself. */
import type { ConsumedTopic } from '../../events/topics.ts';
import type { Page, PageRequest } from '../../projections/history-reads.ts';
import type { ParkCode } from '../handling/handling.ts';
import type { ConsumedMessage, UnreadableCode } from '../messages/message.ts';

export const LETTER_STATUSES = ['parked', 'waiting', 'redriven', 'dropped'] as const;
export type LetterStatus = (typeof LETTER_STATUSES)[number];

export interface DeadLetter {
  id: string;
  /** As it arrived, or as it was corrected; encrypted still, if it was. */
  message: ConsumedMessage;
  /** What later messages wait by; null: it could not be read, so nothing waits behind it. */
  key: string | null;
  hqId: string | null;
  orderId: string | null;
  eventId: string | null;
  code: UnreadableCode | ParkCode | 'BEHIND_A_PARKED_ONE';
  reason: string;
  attempts: number;
  status: LetterStatus;
  /** Epoch milliseconds. */
  receivedAt: number;
  corrected: boolean;
  /**
   * Who corrected, redrove or dropped it last, and when (epoch milliseconds); both null: nobody yet. One that waited
   * behind another has followed whoever saw to its line last.
   */
  changedBy: string | null;
  changedAt: number | null;
}

export type NewLetter = Pick<
  DeadLetter,
  'message' | 'key' | 'hqId' | 'orderId' | 'eventId' | 'code' | 'reason' | 'attempts'
>;

export interface LetterQuery extends PageRequest {
  /** Null: those of every HQ. Letters that name no HQ are always among them. */
  hqId: string | null;
  topic?: ConsumedTopic;
  key?: string;
  status?: LetterStatus;
  /** Received at or after; epoch milliseconds. */
  from?: number;
}

/** A letter that this caller alone may handle now, until it says what became of it or its lease is over. */
export interface ClaimedLetter {
  letter: DeadLetter;
  /** It has its effect: the next one that waits behind it may be claimed. */
  done(): Promise<void>;
  /** It failed again. */
  parkAgain(code: DeadLetter['code'], reason: string): Promise<void>;
  /** Nothing was done, for something was away: it stays as it was, for whoever tries next. */
  release(): Promise<void>;
}

/** What stands in a letter's place after somebody has looked at it. */
export interface Correction {
  value: Uint8Array;
  headers: ReadonlyMap<string, string>;
  hqId: string | null;
  orderId: string | null;
  eventId: string | null;
}

/** A key of a topic and an HQ for which letters are open: what one HQ has parked holds up no other's. */
export interface OpenKey {
  topic: ConsumedTopic;
  key: string;
  hqId: string | null;
}

/**
 * Keys are read by groups (`keyGroupOf`). A group's version rises with every change that may have blocked or freed one
 * of its keys, by whomever, in the step that makes it.
 */
export type GroupVersions = ReadonlyMap<number, number>;

export interface BlockedKeys {
  versions: GroupVersions;
  /** The groups that were read: those whose version was another one than was seen, and maybe more. */
  groups: ReadonlySet<number>;
  /** All of these groups that are blocked. */
  keys: (OpenKey & { group: number })[];
}

/**
 * Kept beside the ledger, durable before a method answers.
 * @throws LedgerUnavailable, CatalogUnavailable: nothing was done, worth trying again
 */
export interface DeadLetters {
  /** Parks a message; one of the same topic, partition and offset that is there already is left as it is. */
  park(letter: NewLetter): Promise<void>;
  /**
   * Puts a message behind the letters of its key. False, and nothing is done, when none is open any more that came
   * before it: then it is to be handled as any other. (Those of its partition with higher offsets came later: it is here
   * for the second time.) True, and nothing is done, when it is there already: parked, waiting or done with.
   */
  queueBehind(letter: NewLetter): Promise<boolean>;
  /** The keys of open letters that others wait behind, where anything has changed since `seen` (empty: everywhere). */
  blockedKeys(seen: GroupVersions): Promise<BlockedKeys>;
  /**
   * Keys, at most `limit`, whose letters wait although none is parked and nobody handles one: whoever redrove them has
   * died, or has left the rest to others.
   */
  strandedKeys(limit: number): Promise<OpenKey[]>;

  list(query: LetterQuery): Promise<Page<DeadLetter>>;
  get(id: string): Promise<DeadLetter | null>;
  /** Another text in its place; only while it is parked and nobody handles it. @returns whether it was */
  correct(id: string, correction: Correction, by: string): Promise<boolean>;
  /** Claims a parked letter; null when it is not parked (any more), or somebody else has it. */
  claim(id: string, by: string): Promise<ClaimedLetter | null>;
  /** The oldest that waits of this key, once nothing of it is parked; for whoever changed a letter of this key last. */
  claimNext(open: OpenKey): Promise<ClaimedLetter | null>;
  /** What waits behind it may follow. @returns whether it was parked, and handled by nobody */
  drop(id: string, by: string): Promise<boolean>;

  /** Letters that were not sent to their `.dlq` topic yet, oldest first, at most `limit`; `sent` takes them off. */
  unsent(limit: number): Promise<DeadLetter[]>;
  sent(ids: readonly string[]): Promise<void>;
  counts(): Promise<{ parked: number; waiting: number }>;
}
