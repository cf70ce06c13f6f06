/** A CloudEvent 1.0 in structured JSON form, as it is published. */
export interface StockEvent {
  specversion: '1.0';
  /** `evt_<partition>_<seq>_<n>`: the same for ever. */
  id: string;
  source: string;
  type: string;
  subject: string;
  time: string;
  datacontenttype: 'application/json';
  dataschema: string;
  /** Rising per key, zero-padded so that it also rises as text. */
  sequence: string;
  correlationid: string;
  causationid: string;
  partitionkey: string;
  data: Record<string, unknown>;
}

export interface EventFilter {
  /** Null: every HQ (only for callers that may see them all). */
  hqId: string | null;
  storeId?: string;
  productId?: string;
  type?: string;
}

/** An event and the cursor that resumes right after it. */
export interface EventAt {
  event: StockEvent;
  cursor: string;
}

/** The cursor was not one of ours. */
export class InvalidCursor extends Error {
  constructor() {
    super('the cursor is not one that this API gave; begin without one, or pass one on unchanged');
    this.name = 'InvalidCursor';
  }
}

/** What happened, in order per key, read from the ledger's entries. */
export interface EventFeed {
  /**
   * Events after the cursor (null: from the beginning), at most `limit`. `nextCursor` is always given: it resumes
   * after what was looked through, so that a poll can go on from it.
   * @throws InvalidCursor
   */
  page(filter: EventFilter, cursor: string | null, limit: number): Promise<{ items: StockEvent[]; nextCursor: string }>;

  /**
   * Events as they are recorded, after the cursor (null: from now on), until `signal` aborts. A slow reader holds up
   * nobody: it is read for again from the ledger.
   */
  follow(filter: EventFilter, cursor: string | null, signal: AbortSignal): AsyncIterable<EventAt>;
}
