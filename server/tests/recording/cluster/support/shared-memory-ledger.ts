/** A shared ledger in memory, whose calls can be held up, fail, or be lost on their way back. */
import { chainHash } from '../../../../src/ledger/chain.ts';
import {
  type FoundOperation,
  LedgerConflict,
  type LedgerIdentity,
  type StoredEntry,
  undoIdOf,
} from '../../../../src/ledger/ledger.ts';
import type {
  Evidence,
  RecordedPlace,
  SharedLedger,
  SharedRecord,
  SharedRecordResult,
  SharedRow,
} from '../../../../src/ledger/shared-ledger.ts';
import type { Entry } from '../../../../src/stock/entry.ts';
import { decodeEntry } from '../../../../src/stock/entry-codec.ts';
import { PARTITION_COUNT } from '../../../../src/stock/limits.ts';
import { type SharedHead, startMark } from '../../../../src/stock/shared-engine.ts';
import type { ImageOperation, RecordedHead } from '../../../../src/stock/stock-engine.ts';

interface Row extends SharedRow {
  hash: string;
  epoch: number;
}

interface State {
  heads: Map<number, SharedHead>;
  rows: Map<number, Row[]>;
}

export class SharedMemoryLedger implements SharedLedger {
  #state: State = { heads: new Map(), rows: new Map() };
  readonly evidence: Evidence[] = [];
  /** What happens around each `record`: may wait, change the result, or throw. */
  onRecord: (commit: () => SharedRecordResult, records: readonly SharedRecord[]) => Promise<SharedRecordResult> =
    async (commit) => commit();
  /** Throws when the database is away. */
  onRead: () => Promise<void> = async () => undefined;
  commits = 0;

  constructor() {
    for (let partition = 0; partition < PARTITION_COUNT; partition += 1) {
      this.#state.heads.set(partition, { partition, epoch: 0, seq: 0, hash: `genesis-${partition}`, mark: '', at: 0 });
      this.#state.rows.set(partition, []);
    }
  }

  async identity(): Promise<LedgerIdentity> {
    return { installationId: 'memory', createdAt: 0 };
  }

  async heads(): Promise<SharedHead[]> {
    await this.onRead();
    return structuredClone([...this.#state.heads.values()]);
  }

  async headsOf(partitions: readonly number[]): Promise<SharedHead[]> {
    return (await this.heads()).filter(({ partition }) => partitions.includes(partition));
  }

  async openEpoch(heads: readonly RecordedHead[]): Promise<SharedHead[]> {
    await this.onRead();
    const moved = heads.filter((head) => !this.#standsAt(head)).map(({ partition }) => partition);
    if (moved.length > 0) throw new LedgerConflict(moved);
    return heads.map((head) => {
      const epoch = head.epoch + 1;
      const opened = { ...head, epoch, mark: startMark(epoch, head.hash) };
      this.#state.heads.set(head.partition, opened);
      return structuredClone(opened);
    });
  }

  #standsAt({ partition, epoch, seq, hash }: RecordedHead): boolean {
    const head = this.#state.heads.get(partition);
    return head?.epoch === epoch && head.seq === seq && head.hash === hash;
  }

  record(records: readonly SharedRecord[]): Promise<SharedRecordResult> {
    const sent = structuredClone(records);
    return this.onRecord(() => this.#commit(sent), sent);
  }

  #commit(records: readonly SharedRecord[]): SharedRecordResult {
    const moved = records.filter(({ head }) => !this.#standsAt(head)).map(({ head }) => head.partition);
    if (moved.length > 0) return { status: 'conflict', partitions: moved };
    const found = records.flatMap(({ entries }) =>
      entries.flatMap(({ hqId, operationId }) => this.#find(hqId, operationId)),
    );
    if (found.length > 0) return { status: 'duplicate', found };
    this.commits += 1;
    return { status: 'recorded', heads: records.map((record) => this.#append(record)) };
  }

  #append({ head, entries }: SharedRecord): SharedHead {
    const rows = this.#rowsOf(head.partition);
    let { hash } = head;
    for (const row of entries) {
      hash = chainHash(hash, row.body);
      rows.push({ ...row, hash, epoch: head.epoch });
    }
    const last = entries.at(-1) as SharedRow;
    const after = { ...head, seq: last.seq, at: last.at, hash, mark: last.mark };
    this.#state.heads.set(head.partition, after);
    return structuredClone(after);
  }

  #rowsOf(partition: number): Row[] {
    return this.#state.rows.get(partition) as Row[];
  }

  #find(hqId: string, operationId: string | null): FoundOperation[] {
    if (operationId === null) return [];
    for (const [partition, rows] of this.#state.rows) {
      const row = rows.find((each) => each.hqId === hqId && each.operationId === operationId);
      if (row !== undefined)
        return [{ hqId, operationId, partition, seq: row.seq, fingerprint: row.fingerprint as string }];
    }
    return [];
  }

  async entries(partition: number, afterSeq: number, limit: number): Promise<StoredEntry[]> {
    await this.onRead();
    const rows = this.#rowsOf(partition).slice(afterSeq, afterSeq + limit);
    return rows.map(({ seq, hash, body }) => ({ partition, seq, hash, body }));
  }

  async entry(partition: number, seq: number): Promise<Entry | null> {
    const [row] = await this.entries(partition, seq - 1, 1);
    return row === undefined ? null : decodeEntry(row.body);
  }

  /** Without the delays of a database. */
  entriesNow(partition: number): Entry[] {
    return this.#rowsOf(partition).map(({ body }) => decodeEntry(body));
  }

  async recordedAt(partition: number, seq: number): Promise<RecordedPlace | null> {
    await this.onRead();
    const row = this.#rowsOf(partition)[seq - 1];
    return row === undefined ? null : { epoch: row.epoch, mark: row.mark, duplicateOf: row.duplicateOf };
  }

  async findOperations(hqId: string, operationIds: readonly string[]): Promise<FoundOperation[]> {
    await this.onRead();
    return operationIds.flatMap((operationId) => this.#find(hqId, operationId));
  }

  async pendingUndos(): Promise<Entry[]> {
    const all = [...this.#state.rows.keys()].flatMap((partition) => this.entriesNow(partition));
    return all.filter(
      ({ duplicateOf, hqId, partition, seq }) =>
        duplicateOf !== null && this.#find(hqId, undoIdOf(partition, seq)).length === 0,
    );
  }

  async seqBefore(): Promise<number> {
    return 0;
  }

  async operations(): Promise<ImageOperation[]> {
    return [];
  }

  async keepEvidence(evidence: Evidence): Promise<void> {
    this.evidence.push(evidence);
  }

  backup(): State {
    return structuredClone(this.#state);
  }

  restore(backup: State): void {
    this.#state = structuredClone(backup);
  }

  async close(): Promise<void> {}
}
