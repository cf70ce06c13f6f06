/** The walk through a ledger and its projections, away from whoever serves. */
import type { VerifyReport } from '../application.ts';
import { genesisHash } from '../ledger/chain.ts';
import type { Entry, LevelRead } from '../stock/entry.ts';
import { encodeHold } from '../stock/entry-codec.ts';
import { partitionOf } from '../stock/identifiers.ts';
import { PARTITION_COUNT } from '../stock/limits.ts';
import { EntryProof, type LedgerRow, type WalkHead } from './entry-proof.ts';
import { Findings } from './findings.ts';
import type {
  ClaimedHold,
  ClaimedLevel,
  KnownHead,
  ProofProgress,
  ProvenProduct,
  Refuted,
  Standing,
} from './ledger-proof.ts';
import { type ReplayedHq, ReplayedState } from './replayed-state.ts';
import { TableProof } from './table-proof.ts';
import type { WalkSource } from './walk-source.ts';

const ENTRIES_PER_STEP = 2_000;
/** How long the walk waits for a projector that does not move. */
const PROJECTOR_PATIENCE_MS = 3_000;

export interface LedgerWalkParts {
  source: WalkSource;
  knownHead: KnownHead | null;
  now: () => number;
}

export class LedgerWalk {
  readonly #parts: LedgerWalkParts;
  readonly #source: WalkSource;
  readonly #findings = new Findings();
  readonly #state = new ReplayedState();
  readonly #entries: EntryProof;
  readonly #tables: TableProof;
  #heads: WalkHead[] = [];
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
    this.#source = parts.source;
    this.#entries = new EntryProof(this.#state, this.#findings);
    this.#tables = new TableProof(this.#findings);
  }

  async #begin(): Promise<void> {
    const installationId = await this.#source.installationId();
    this.#heads = Array.from({ length: PARTITION_COUNT }, (_, partition) => ({
      partition,
      seq: 0,
      hash: genesisHash(installationId, partition),
      at: 0,
      epoch: 0,
    }));
    await this.#proveEnds();
  }

  /** The cursor, the last entry, and what was projected must not contradict each other. */
  async #proveEnds(): Promise<void> {
    const heads = await this.#source.heads();
    const cursors = new Map((await this.#source.cursors()).map((cursor) => [cursor.partition, cursor]));
    const lasts = new Map((await this.#source.lastEntries()).map((last) => [last.partition, last]));
    for (const { partition, seq, hash } of heads) {
      this.#ends.set(partition, seq);
      const entry = lasts.get(partition) ?? { seq: 0, hash };
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

  async step(): Promise<ProofProgress> {
    if (this.#heads.length === 0) await this.#begin();
    const behind = this.#heads.find(({ partition, seq }) => seq < (this.#ends.get(partition) ?? 0));
    if (behind !== undefined) await this.#walk(behind, ENTRIES_PER_STEP);
    else if (!this.#compared) await this.#compare();
    let total = 0;
    for (const seq of this.#ends.values()) total += seq;
    return { done: this.#walked, total, finished: this.#compared };
  }

  /** Proves some entries and their rows; without progress when the projector has not come that far. */
  async #walk(head: WalkHead, limit: number): Promise<void> {
    const end = this.#ends.get(head.partition) ?? 0;
    const projected = await this.#projectedEnd(head, end);
    if (projected === null) return;
    await this.#source.inSnapshot(async () => {
      const rows = await this.#source.entries(head.partition, head.seq, projected, limit);
      if (rows.length === 0) this.#skipMissing(head, projected);
      await this.#proveRows(head, rows);
    });
  }

  async #proveRows(head: WalkHead, rows: readonly LedgerRow[]): Promise<void> {
    const entries: Entry[] = [];
    for (const row of rows) {
      const entry = this.#entries.prove(head, row);
      if (entry !== null) entries.push(entry);
      this.#walked += 1;
      this.#proveKnownHead(row);
    }
    if (this.#apart.has(head.partition) || entries.length === 0) return;
    const projected = await this.#source.rowsOf(entries);
    for (const entry of entries) this.#tables.prove(entry, projected);
  }

  #proveKnownHead(row: LedgerRow): void {
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
  async #projectedEnd({ partition, seq }: WalkHead, end: number): Promise<number | null> {
    if (this.#apart.has(partition)) return end;
    const cursors = await this.#source.cursors();
    const projected = cursors.find((cursor) => cursor.partition === partition)?.seq ?? 0;
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
  async #compare(): Promise<void> {
    await this.#source.inSnapshot(async () => {
      for (const cursor of await this.#source.cursors()) {
        const head = this.#heads[cursor.partition] as WalkHead;
        if (this.#apart.has(cursor.partition)) continue;
        await this.#proveUpTo(head, cursor.seq);
        if (cursor.seq > 0 && head.seq === cursor.seq && head.hash !== cursor.hash) {
          this.#findings.add(
            `partition ${head.partition}: entry ${head.seq} was projected with another hash than it has now`,
          );
        }
      }
      await this.#tables.proveTotals(this.#source, this.#state, this.#apart);
    });
    this.#compared = true;
  }

  async #proveUpTo(head: WalkHead, end: number): Promise<void> {
    while (head.seq < end) {
      const rows = await this.#source.entries(head.partition, head.seq, end, ENTRIES_PER_STEP);
      if (rows.length === 0) return;
      await this.#proveRows(head, rows);
    }
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

  async refuteLevels(claims: readonly ClaimedLevel[]): Promise<Refuted<ClaimedLevel>[]> {
    await this.#catchUp();
    const refuted: Refuted<ClaimedLevel>[] = [];
    for (const claim of claims) {
      const level = (this.#state.hqs.get(claim.hqId) as ReplayedHq).levelRead(claim.storeId, claim.productId);
      const proven = await this.#refuteLevel(claim, level);
      if (proven !== null) refuted.push({ claim, proven, ahead: (claim.view?.version ?? 0) > level.version });
    }
    return refuted;
  }

  async #refuteLevel({ hqId, view, floor, ...place }: ClaimedLevel, level: LevelRead): Promise<string | null> {
    if (view === null) return 'it is known';
    if (view.version < floor) return `it has reached version ${floor}`;
    if (view.version > level.version) return `it has not passed version ${level.version}`;
    if (view.version < level.version) {
      // Only the projection tells an earlier version; where it stands still, there is nothing to hold it against.
      if (this.#apart.has(partitionOf(hqId))) return null;
      const then = await this.#source.levelAtVersion(hqId, place, view.version);
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

  async refuteHolds(claims: readonly ClaimedHold[]): Promise<Refuted<ClaimedHold>[]> {
    await this.#catchUp();
    const refuted: Refuted<ClaimedHold>[] = [];
    for (const claim of claims) {
      const made = this.#state.openHolds.get(claim.reservationId);
      const open = made === undefined ? null : encodeHold(made.hold);
      if (open === claim.text) continue;
      const asked = claim.text !== null && open === null;
      const closed = asked ? await this.#source.closedHold(claim.reservationId) : null;
      if (closed !== null && closed === claim.text) continue;
      refuted.push({ claim, proven: open ?? closed ?? 'it is not open', ahead: false });
    }
    return refuted;
  }

  async standing(): Promise<Standing[]> {
    await this.#catchUp();
    return (await this.#source.heads()).map(({ partition, seq }) => ({
      partition,
      recorded: seq,
      proven: (this.#heads[partition] as WalkHead).seq,
    }));
  }

  /** Proves what was recorded and projected since, so that an engine that goes on can be followed. */
  async #catchUp(): Promise<void> {
    const projected = new Map((await this.#source.cursors()).map(({ partition, seq }) => [partition, seq]));
    for (const { partition, seq } of await this.#source.heads()) {
      const head = this.#heads[partition] as WalkHead;
      await this.#proveUpTo(head, this.#apart.has(partition) ? seq : (projected.get(partition) ?? 0));
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
