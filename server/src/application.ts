import type { Catalog } from './catalog/catalog.ts';
import type { MasterData } from './catalog/master-data.ts';
import type { EventFeed } from './events/event-feed.ts';
import type { Locks } from './locking/locks.ts';
import type { Inbox } from './ordering/inbox/inbox.ts';
import type { LetterDesk } from './ordering/letters/letter-desk.ts';
import type { ReadMessage } from './ordering/messages/message.ts';
import type { HistoryReads } from './projections/history-reads.ts';
import type { CommandExecutor } from './recording/command-executor.ts';
import type { StockEngine } from './stock/stock-engine.ts';
import type { Telemetry } from './telemetry/telemetry.ts';

export interface Readiness {
  ready: boolean;
  /** What a person reads: `starting`, `draining`, the reason why no reservation can be made. */
  reasons: string[];
  /** Parts that are away while reservations go on. */
  degraded: string[];
}

/** A running Holdfast, as its routes and commands see it: ports alone, whatever adapters stand behind them. */
export interface Application {
  mode: 'embedded' | 'cluster';
  /** Epoch milliseconds. */
  now: () => number;
  executor: CommandExecutor;
  engine: StockEngine;
  history: HistoryReads;
  catalog: Catalog;
  events: EventFeed;
  /** Where events of orders are handed in that come over HTTP. */
  inbox: Inbox;
  readMessage: ReadMessage;
  letterDesk: LetterDesk;
  telemetry: Telemetry;
  /** Never needed for a decision. */
  locks: Locks;
  /** Whether commands are decided now; `readiness` says why not. Asked with every read of a level. */
  isReady(): boolean;
  readiness(): Readiness;
  /** The key that signs and verifies tokens. */
  tokenKey: Uint8Array;
  /** Walks the chain and proves entries = projections = engine; progress in entries. */
  verify(options: { head?: string; onProgress?: (done: number, total: number) => void }): Promise<VerifyReport>;
  /** Builds a projection (or all) anew while serving, then switches. */
  rebuild(projection: string | null, onProgress?: (done: number, total: number) => void): Promise<RebuildReport>;
}

/** An application with what its process does with it. */
export interface RunningApplication extends Application {
  masterData: MasterData;
  /** Where checked rows of an import wait on this machine's disk. */
  spoolFolder: string;
  /** From now on it is served at this address. */
  announce(server: { url: string; pid: number }): void;
  /** Records what was decided, publishes and projects what was recorded as far as this process does, and lets go. */
  stop(): Promise<void>;
}

export interface VerifyReport {
  ok: boolean;
  entries: number;
  partitions: { partition: number; seq: number; hash: string }[];
  levels: number;
  openReservations: number;
  findings: string[];
}

export interface RebuildReport {
  projections: string[];
  entries: number;
  durationMs: number;
}
