/**
 * Proves one entry after another: that it continues the chain, that its columns say what its text says, that what it
 * read is what the entries before it left, and that the rules make of it the same outcome, lines and holds.
 */
import { isDeepStrictEqual } from 'node:util';
import { chainHash } from '../ledger/chain.ts';
import type { EntryRow, StoredEntry } from '../ledger/ledger.ts';
import { changesOf, type Entry, type LevelRead } from '../stock/entry.ts';
import { decodeEntry, encodeEntry } from '../stock/entry-codec.ts';
import { partitionOf } from '../stock/identifiers.ts';
import { decide } from '../stock/rules.ts';
import type { Findings } from './findings.ts';
import type { ReplayedState } from './replayed-state.ts';

/** An entry with all its columns. */
export type LedgerRow = EntryRow & StoredEntry;

/** Where a partition's walk stands. */
export interface WalkHead {
  partition: number;
  seq: number;
  hash: string;
  at: number;
  epoch: number;
}

export class EntryProof {
  readonly state: ReplayedState;
  readonly #findings: Findings;

  constructor(state: ReplayedState, findings: Findings) {
    this.state = state;
    this.#findings = findings;
  }

  /** Moves the head past the row; null: its text is no entry, and nothing was replayed. */
  prove(head: WalkHead, row: LedgerRow): Entry | null {
    const say = (what: string) => this.#findings.add(`entry ${row.seq} of partition ${row.partition}: ${what}`);
    if (row.seq !== head.seq + 1) say(`it follows entry ${head.seq}: the entries between them are missing`);
    if (chainHash(head.hash, row.body) !== row.hash) {
      say('its text was changed, or the entry before it: its hash is not the one that both give');
    }
    head.seq = row.seq;
    head.hash = row.hash;
    try {
      const entry = decodeEntry(row.body);
      this.#proveColumns(entry, row, head, say);
      this.#proveReads(entry, say);
      proveRuling(entry, say);
      for (const { after } of changesOf(entry)) {
        if (after.onHand < 0 || after.reserved < 0) say(`it drives ${after.storeId}/${after.productId} below zero`);
      }
      this.state.apply(entry);
      head.at = entry.at;
      head.epoch = entry.epoch;
      return entry;
    } catch (error) {
      say(`its text cannot be replayed: ${(error as Error).message}`);
      return null;
    }
  }

  #proveColumns(entry: Entry, row: LedgerRow, head: WalkHead, say: (what: string) => void): void {
    const text = {
      partition: entry.partition,
      seq: entry.seq,
      at: entry.at,
      hqId: entry.hqId,
      operationId: entry.operationId,
      fingerprint: entry.fingerprint,
      duplicateOf: entry.duplicateOf,
      type: entry.command.type,
    };
    for (const [column, value] of Object.entries(text)) {
      const stored = row[column as keyof typeof text];
      if (stored !== value) say(`its column ${column} is ${show(stored)}, its text says ${show(value)}`);
    }
    if (partitionOf(entry.hqId) !== entry.partition) say(`HQ ${entry.hqId} does not belong to this partition`);
    if (entry.at < head.at) say('its time is before that of the entry before it');
    if (entry.epoch < head.epoch) say(`its epoch ${entry.epoch} is before that of the entry before it`);
  }

  #proveReads(entry: Entry, say: (what: string) => void): void {
    const hq = this.state.hq(entry.hqId);
    for (const level of entry.read.levels) {
      const left = hq.levelRead(level.storeId, level.productId);
      if (level.lastCount === undefined) delete left.lastCount;
      if (!sameLevel(level, left)) {
        say(
          `it read level ${level.storeId}/${level.productId} as ${show(level)}; the entries before it left ${show(left)}`,
        );
      }
    }
    for (const totals of entry.read.totals) {
      const left = hq.totalsRead(totals.productId);
      if (!isDeepStrictEqual(totals, left))
        say(`it read the totals ${show(totals)}; the entries before it left ${show(left)}`);
    }
    const settings = hq.settingsRead(entry.command);
    if (!isDeepStrictEqual(entry.read.settings ?? null, settings)) {
      say(`it read the settings ${show(entry.read.settings)}; the entries before it left ${show(settings)}`);
    }
    if (entry.command.type === 'configure-product') {
      const followers = hq.followers(entry.command.productId);
      if (entry.read.levels.length !== followers) {
        say(
          `it read ${entry.read.levels.length} levels that follow the product's safety stock; there are ${followers}`,
        );
      }
    }
    for (const hold of entry.read.holds) {
      const left = this.state.openHolds.get(hold.reservationId);
      if (left !== undefined && (left.hqId !== entry.hqId || !isDeepStrictEqual(left.hold, hold))) {
        say(`it read reservation ${show(hold)}; the entries before it left ${show(left.hold)}`);
      }
    }
  }
}

function proveRuling(entry: Entry, say: (what: string) => void): void {
  const ruling = decide(entry.command, entry.read, entry.at);
  // Equal texts are equal; texts that differ may still mean the same, as when another engine orders its fields anew.
  const again: Entry = { ...entry, outcome: ruling.outcome, lines: ruling.lines, holds: ruling.holds };
  if (encodeEntry(again) === encodeEntry(entry)) return;
  for (const part of ['outcome', 'lines', 'holds'] as const) {
    if (isDeepStrictEqual(ruling[part], entry[part])) continue;
    say(`it says ${part} ${show(entry[part])}; the rules make it ${show(ruling[part])}`);
  }
}

function sameLevel(one: LevelRead, other: LevelRead): boolean {
  return (
    one.onHand === other.onHand &&
    one.reserved === other.reserved &&
    one.version === other.version &&
    one.safetyStock === other.safetyStock &&
    one.lowThreshold === other.lowThreshold &&
    one.lastCount?.seq === other.lastCount?.seq &&
    one.lastCount?.countedAt === other.lastCount?.countedAt
  );
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? 'nothing';
}
