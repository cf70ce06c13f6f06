/** What a cluster recorder works with, and what it tells. */
import type { PartitionOwnership } from '../../ledger/shared-ledger.ts';
import type { Entry } from '../../stock/entry.ts';
import type { SharedHead, StockJournal } from '../../stock/shared-engine.ts';
import type { RecordedHead } from '../../stock/stock-engine.ts';
import type { RebuildParts } from './partition-rebuild.ts';
import type { ProjectedReads } from './projected-rows.ts';
import type { RecordedChannel } from './recorded-channel.ts';

export interface ClusterRecorderEvents {
  /** After each commit, with the entries of one partition that it holds. */
  recorded(head: RecordedHead, entries: readonly Entry[]): void;
  /** An entry turned out to be decided twice, now or before a takeover: its effect must be undone. May tell it again. */
  duplicated(entry: Entry): void;
  committed(statistics: { entries: number; durationMs: number }): void;
  /** The engine of these is being filled again; what was decided and not recorded is discarded. */
  quarantined(partitions: readonly number[], reason: string): void;
  opened(heads: readonly SharedHead[]): void;
  /** Not recorded until somebody does something about it. */
  waiting(partition: number, reason: string): void;
  /** Something failed that is tried again. */
  trouble(error: Error): void;
}

export interface ClusterRecorderParts extends RebuildParts {
  journal: StockJournal;
  ownership: PartitionOwnership;
  projected: ProjectedReads;
  channel: RecordedChannel;
  events: ClusterRecorderEvents;
}
