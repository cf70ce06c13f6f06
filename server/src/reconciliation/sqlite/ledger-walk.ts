/** The walk through the ledger and its projections, over connections that only read. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { VerifyReport } from '../../application.ts';
import { genesisHash } from '../../ledger/chain.ts';
import { SqliteLedgerStore } from '../../ledger/sqlite/sqlite-ledger-store.ts';
import type { LevelRead } from '../../stock/entry.ts';
import { encodeHold } from '../../stock/entry-codec.ts';
import { partitionOf } from '../../stock/identifiers.ts';
import { PARTITION_COUNT } from '../../stock/limits.ts';
import { EntryProof, type LedgerRow, type WalkHead } from '../entry-proof.ts';
import { Findings } from '../findings.ts';
import type {
  ClaimedHold,
  ClaimedLevel,
  KnownHead,
  ProofProgress,
  ProvenProduct,
  Refuted,
  Standing,
} from '../ledger-proof.ts';
import { type ReplayedHq, ReplayedState } from '../replayed-state.ts';
import { TableProof } from './table-proof.ts';

const ENTRIES_PER_STEP = 2_000;
/** How long the walk waits for a projector that does not move. */
const PROJECTOR_PATIENCE_MS = 3_000;

export interface LedgerWalkParts {
  ledger: DatabaseSync;
  projections: DatabaseSync;
  knownHead: KnownHead | null;
  now: () => number;
}

export class LedgerWalk {
  readonly #parts: LedgerWalkParts;
  readonly #store: SqliteLedgerStore;
  readonly #findings = new Findings();
  readonly #state = new ReplayedState();
  readonly #entries: EntryProof;
  readonly #tables: TableProof;
  readonly #rows: StatementSync;
  readonly #heads: WalkHead[];
  readonly #ends = new Map<number, number>();
  /** Partitions whose projection stands still before the end of the walk. */
  readonly #apart = new Set<number>();
  #waitingSince: number | null = null;
  #products: Iterator<ProvenProduct> | null = null;
  #openHolds: Iterator<string> | null = null;
  #compared = false;
  #walked = 0;

  constructor(parts: LedgerWalkParts) {
    this.#parts = parts;
    this.#store = new SqliteLedgerStore(parts.ledger);
    this.#entries = new EntryProof(this.#state, this.#findings);
    this.#tables = new TableProof(parts.projections, this.#findings);
    this.#rows = parts.ledger.prepare(
      `select partition_id as "partition", seq, hash, at, hq_id as hqId, operation_id as operationId, fingerprint,
         duplicate_of as duplicateOf, type, body from entries where partition_id = ? and seq > ? and seq <= ?
       order by seq limit ?`,
    );
    const { installationId } = this.#store.identity();
    this.#heads = Array.from({ length: PARTITION_COUNT }, (_, partition) => ({
      partition,
      seq: 0,
      hash: genesisHash(installationId, partition),
      at: 0,
      epoch: 0,
    }));
    this.#setEnds();
    this.#proveEnds();
  }

  #setEnds(): void {
    for (const { partition, seq } of this.#store.heads()) this.#ends.set(partition, seq);
  }

  /** The cursor, the last entry, and what was projected must not contradict each other. */
  #proveEnds(): void {
    const last = this.#parts.ledger.prepare(
      'select seq, hash from entries where partition_id = ? order by seq desc limit 1',
    );
    const cursors = new Map(this.#tables.cursors().map((cursor) => [cursor.partition, cursor]));
    for (const { partition, seq, hash } of this.#store.heads()) {
      const entry = (last.get(partition) as { seq: number; hash: string } | undefined) ?? { seq: 0, hash };
      // Read later, an entry may be newer than the cursor; never older.
      if (entry.seq < seq) {
        this.#findings.add(
          `partition ${partition} ends at entry ${entry.seq}, its cursor at ${seq}: entries were removed`,
        );
        this.#ends.set(partition, entry.seq);
      } else if (entry.seq === seq && entry.hash !== hash) {
        this.#findings.add(`partition ${partition}: the hash of its last entry ${seq} is not that of its cursor`);
      }
      const projected = cursors.get(partition)?.seq ?? 0;
      if (projected > entry.seq) {
        this.#findings.add(
          `partition ${partition} ends at entry ${entry.seq}, but entry ${projected} was projected: entries were removed`,
        );
        this.#apart.add(partition);
      }
    }
    const { knownHead } = this.#parts;
    const end = knownHead === null ? 0 : (this.#ends.get(knownHead.partition) ?? 0);
    if (knownHead !== null && knownHead.seq > end) {
      this.#findings.add(
        `partition ${knownHead.partition} ends at entry ${end}; the head kept elsewhere is entry ${knownHead.seq}: entries were removed`,
      );
    }
  }

  step(): ProofProgress {
    const behind = this.#heads.find(({ partition, seq }) => seq < (this.#ends.get(partition) ?? 0));
    if (behind !== undefined) this.#walk(behind, ENTRIES_PER_STEP);
    else if (!this.#compared) this.#compare();
    let total = 0;
    for (const seq of this.#ends.values()) total += seq;
    return { done: this.#walked, total, finished: this.#compared };
  }

  /** Proves some entries and their rows; without progress when the projector has not come that far. */
  #walk(head: WalkHead, limit: number): void {
    const end = this.#ends.get(head.partition) ?? 0;
    const projected = this.#projectedEnd(head, end);
    if (projected === null) return;
    const rows = this.#rows.all(head.partition, head.seq, projected, limit) as unknown as LedgerRow[];
    if (rows.length === 0) this.#skipMissing(head, projected);
    this.#parts.projections.exec('begin');
    for (const row of rows) this.#proveRow(head, row);
    this.#parts.projections.exec('commit');
  }

  #proveRow(head: WalkHead, row: LedgerRow): void {
    const entry = this.#entries.prove(head, row);
    if (entry !== null && !this.#apart.has(head.partition)) this.#tables.prove(entry);
    this.#walked += 1;
    const { knownHead } = this.#parts;
    if (knownHead?.partition === row.partition && knownHead.seq === row.seq && knownHead.hash !== row.hash) {
      this.#findings.add(
        `entry ${row.seq} of partition ${row.partition} has hash ${row.hash}; the head kept elsewhere says ${knownHead.hash}: the ledger was rewritten`,
      );
    }
  }

  #skipMissing(head: WalkHead, end: number): void {
    this.#findings.add(`partition ${head.partition}: the entries from ${head.seq + 1} to ${end} are missing`);
    this.#walked += end - head.seq;
    head.seq = end;
  }

  /** The last entry to walk to now: projected already, or never to be; null: wait for the projector. */
  #projectedEnd({ partition, seq }: WalkHead, end: number): number | null {
    if (this.#apart.has(partition)) return end;
    const projected = this.#tables.cursors().find((cursor) => cursor.partition === partition)?.seq ?? 0;
    if (projected > seq) {
      this.#waitingSince = null;
      return Math.min(projected, end);
    }
    this.#waitingSince ??= this.#parts.now();
    if (this.#parts.now() - this.#waitingSince < PROJECTOR_PATIENCE_MS) return null;
    this.#waitingSince = null;
    this.#findings.add(
      `the projections of partition ${partition} stand at entry ${projected}; the ledger ends at ${end}`,
    );
    this.#apart.add(partition);
    return end;
  }

  /** In one snapshot of the projections: up to where it stands, then all tables against the state there. */
  #compare(): void {
    const { projections } = this.#parts;
    projections.exec('begin');
    try {
      for (const cursor of this.#tables.cursors()) {
        const head = this.#heads[cursor.partition] as WalkHead;
        if (this.#apart.has(cursor.partition)) continue;
        const rows = this.#rows.all(head.partition, head.seq, cursor.seq, -1) as unknown as LedgerRow[];
        for (const row of rows) this.#proveRow(head, row);
        if (cursor.seq > 0 && head.seq === cursor.seq && head.hash !== cursor.hash) {
          this.#findings.add(
            `partition ${head.partition}: entry ${head.seq} was projected with another hash than it has now`,
          );
        }
      }
      this.#tables.proveTotals(this.#state, this.#apart);
    } finally {
      projections.exec('commit');
    }
    this.#compared = true;
  }

  nextProducts(levelsMax: number): ProvenProduct[] {
    this.#products ??= productsOf(this.#state);
    const found: ProvenProduct[] = [];
    for (let levels = 0; levels < levelsMax; ) {
      const { value, done } = this.#products.next();
      if (done === true) break;
      found.push(value);
      levels += value.levels.length;
    }
    return found;
  }

  nextOpenHolds(limit: number): string[] {
    this.#openHolds ??= this.#state.openHolds.keys();
    const ids: string[] = [];
    while (ids.length < limit) {
      const { value, done } = this.#openHolds.next();
      if (done === true) break;
      ids.push(value);
    }
    return ids;
  }

  refuteLevels(claims: readonly ClaimedLevel[]): Refuted<ClaimedLevel>[] {
    this.#catchUp();
    return claims.flatMap((claim) => {
      const level = (this.#state.hqs.get(claim.hqId) as ReplayedHq).levelRead(claim.storeId, claim.productId);
      const proven = this.#refuteLevel(claim, level);
      return proven === null ? [] : [{ claim, proven, ahead: (claim.view?.version ?? 0) > level.version }];
    });
  }

  #refuteLevel({ hqId, storeId, productId, view, floor }: ClaimedLevel, level: LevelRead): string | null {
    if (view === null) return 'it is known';
    if (view.version < floor) return `it has reached version ${floor}`;
    if (view.version > level.version) return `it has not passed version ${level.version}`;
    if (view.version < level.version) {
      // Only the projection tells an earlier version; where it stands still, there is nothing to hold it against.
      if (this.#apart.has(partitionOf(hqId))) return null;
      const then = this.#tables.levelAtVersion(hqId, storeId, productId, view.version);
      const same = then?.onHand === view.onHand && then.reserved === view.reserved;
      return same ? null : `version ${view.version} of it is ${JSON.stringify(then)}`;
    }
    const same =
      level.onHand === view.onHand &&
      level.reserved === view.reserved &&
      level.safetyStock === view.safetyStock &&
      level.lowThreshold === view.lowThreshold;
    return same ? null : `it is ${JSON.stringify(level)}`;
  }

  refuteHolds(claims: readonly ClaimedHold[]): Refuted<ClaimedHold>[] {
    this.#catchUp();
    return claims.flatMap((claim) => {
      const made = this.#state.openHolds.get(claim.reservationId);
      const open = made === undefined ? null : encodeHold(made.hold);
      if (open === claim.text) return [];
      const closed = claim.text === null || open !== null ? null : this.#tables.closedHold(claim.reservationId);
      if (closed !== null && closed === claim.text) return [];
      return [{ claim, proven: open ?? closed ?? 'it is not open', ahead: false }];
    });
  }

  standing(): Standing[] {
    this.#catchUp();
    return this.#store.heads().map(({ partition, seq }) => ({
      partition,
      recorded: seq,
      proven: (this.#heads[partition] as WalkHead).seq,
    }));
  }

  /** Proves what was recorded and projected since, so that an engine that goes on can be followed. */
  #catchUp(): void {
    const projected = new Map(this.#tables.cursors().map(({ partition, seq }) => [partition, seq]));
    for (const { partition, seq } of this.#store.heads()) {
      const head = this.#heads[partition] as WalkHead;
      const end = this.#apart.has(partition) ? seq : (projected.get(partition) ?? 0);
      while (head.seq < end) {
        const rows = this.#rows.all(partition, head.seq, end, ENTRIES_PER_STEP) as unknown as LedgerRow[];
        if (rows.length === 0) break;
        for (const row of rows) this.#proveRow(head, row);
      }
    }
  }

  report(): VerifyReport {
    const findings = this.#findings.list;
    return {
      ok: findings.length === 0,
      entries: this.#walked,
      partitions: this.#heads
        .filter(({ seq }) => seq > 0)
        .map(({ partition, seq, hash }) => ({ partition, seq, hash })),
      levels: this.#state.levels,
      openReservations: this.#state.openHolds.size,
      findings,
    };
  }
}

function* productsOf(state: ReplayedState): Generator<ProvenProduct> {
  for (const [hqId, hq] of state.hqs) {
    for (const [productId, product] of hq.products) {
      if (product.levels.size === 0) continue;
      const levels = [...product.levels].map(([storeId, { version }]) => ({ storeId, version }));
      yield { hqId, productId, levels };
    }
  }
}
