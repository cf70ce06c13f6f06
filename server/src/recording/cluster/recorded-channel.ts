/** Entries of one partition that have just been recorded, as told to all nodes. */
export interface RecordedAnnouncement {
  partition: number;
  epoch: number;
  /** `seq` of the first; the others follow without a gap. Without entries: an epoch was opened at this `seq`. */
  firstSeq: number;
  /** The name of each entry in the journal (`Place.mark`); of an opened epoch its start alone, with `seq` its head. */
  marks: string[];
  /** `[seq, duplicateOf]` of those among them that were decided a second time. */
  duplicates: [seq: number, duplicateOf: number][];
  opened: boolean;
}

/** Carries announcements from recorders to all nodes. May lose them: a waiter that hears nothing asks the ledger. */
export interface RecordedChannel {
  announce(announcements: readonly RecordedAnnouncement[]): void;
  /** Returns a function that ends it. */
  subscribe(listener: (announcements: readonly RecordedAnnouncement[]) => void): () => void;
}
