/** What scenarios ask of a system behind an engine, whatever its engine and its ledger are. */
import { setImmediate } from 'node:timers/promises';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { CommandExecutor, Execution } from '../../src/recording/command-executor.ts';
import type { Command } from '../../src/stock/commands.ts';
import type { Entry, Hold } from '../../src/stock/entry.ts';
import { decodeEntry } from '../../src/stock/entry-codec.ts';
import { partitionOf } from '../../src/stock/identifiers.ts';
import type { CommandRequest, StockEngine } from '../../src/stock/stock-engine.ts';

export interface Ask {
  hqId: string;
  operationId: string | null;
  fingerprint: string | null;
  command: Command;
}

const PROVENANCE = {
  actor: { subject: 'tests', role: 'admin' },
  origin: 'tests',
  correlationId: 'tests',
  causationId: null,
};

/** The clock is the test's, and history is read naively from the entries. */
export abstract class CommandPipeline {
  /** What went wrong and should not have. */
  readonly failures: string[] = [];
  readonly duplicates: Entry[] = [];
  nowMs = Date.UTC(2026, 0, 5, 9);

  abstract get engine(): StockEngine;
  abstract get executor(): CommandExecutor;
  abstract get ledger(): Ledger;

  abstract start(): Promise<void>;
  /** Ends it gracefully; what was decided is recorded. */
  abstract stop(): Promise<void>;
  /** The engine begins again with what the ledger holds. */
  abstract restart(): Promise<void>;
  abstract dispose(): Promise<void>;

  request(ask: Ask): CommandRequest {
    return { ...PROVENANCE, ...ask };
  }

  execute(ask: Ask): Promise<Execution> {
    return this.executor.execute(this.request(ask));
  }

  /** Closes all holds that are due, and waits until that is recorded. */
  async sweep(): Promise<void> {
    while ((await this.engine.expireDue()).holds > 0);
    while ((await this.engine.counts()).unrecorded > 0) await setImmediate();
  }

  /** All that the ledger holds of an HQ's partition. */
  async entries(hqId: string): Promise<Entry[]> {
    const all: Entry[] = [];
    for (;;) {
      const stored = await this.ledger.entries(partitionOf(hqId), all.at(-1)?.seq ?? 0, 10_000);
      if (stored.length === 0) return all;
      all.push(...stored.map((row) => decodeEntry(row.body)));
    }
  }

  async findHold(hqId: string, reservationId: string): Promise<Hold | null> {
    const entries = await this.entries(hqId);
    const holds = entries.filter((entry) => entry.hqId === hqId).flatMap((entry) => entry.holds);
    return holds.findLast((hold) => hold.reservationId === reservationId) ?? null;
  }
}
