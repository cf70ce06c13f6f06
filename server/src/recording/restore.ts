import type { Ledger } from '../ledger/ledger.ts';
import { decodeEntry } from '../stock/entry-codec.ts';
import { WINDOW_COUNT_MAX, WINDOW_MS } from '../stock/operation-memory.ts';
import type { EngineFilling, SharedHead } from '../stock/shared-engine.ts';
import type { EmbeddedEngine, ImageChunk, ImageCursor, RecordedHead } from '../stock/stock-engine.ts';

const ENTRIES_PER_READ = 2_000;
const OPERATIONS_PER_READ = 10_000;

/** Reads the projections in one snapshot: the cursors first, then what an engine is filled with. */
export interface ImageSource {
  /** `partitions`: these alone; all of them if left out. */
  image(closedSinceMs: number, partitions?: readonly number[]): AsyncIterable<ImageChunk>;
}

/** Whatever is being filled: an emptied engine, or some partitions of a shared one. */
type Filled = Pick<EmbeddedEngine, 'load' | 'replay'>;

/** The ledger is behind what was projected from it: it was restored from an older state. */
export class LedgerWentBack extends Error {
  readonly partition: number;
  /** What the projections have seen. */
  readonly seq: number;

  constructor(cursor: ImageCursor, head: RecordedHead) {
    super(
      `partition ${cursor.partition}: the projections have seen entry ${cursor.seq}, the ledger ends at ${head.seq} or differs there. ` +
        'The ledger was replaced by an older copy. Put the newest copy back; if there is none and what is missing is lost, remove projections.db and start again.',
    );
    this.name = 'LedgerWentBack';
    this.partition = cursor.partition;
    this.seq = cursor.seq;
  }
}

/**
 * Fills an emptied engine: a new epoch first, so that nobody of the old one can record any more; then the image of
 * the projections; then the entries after it; opened last.
 * @throws LedgerWentBack, LedgerConflict
 */
export async function restore(
  engine: EmbeddedEngine,
  ledger: Ledger,
  source: ImageSource,
  nowMs: number,
): Promise<RecordedHead[]> {
  engine.halt();
  const heads = await ledger.openEpoch(await ledger.heads());
  await fill(engine, { ledger, image: source.image(nowMs - WINDOW_MS), heads, nowMs });
  await engine.open(heads);
  return heads;
}

/**
 * Fills some partitions of a shared engine, whose new epoch is open in the ledger already, and opens them last.
 * @throws LedgerWentBack
 */
export async function restorePartitions(
  filling: EngineFilling,
  ledger: Ledger,
  source: ImageSource,
  heads: readonly SharedHead[],
  nowMs: number,
): Promise<void> {
  const partitions = heads.map(({ partition }) => partition);
  await fill(filling, { ledger, image: source.image(nowMs - WINDOW_MS, partitions), heads, nowMs });
  await filling.open();
}

interface Restoration {
  ledger: Ledger;
  image: AsyncIterable<ImageChunk>;
  heads: readonly RecordedHead[];
  nowMs: number;
}

async function fill(filled: Filled, { ledger, image, heads, nowMs }: Restoration): Promise<void> {
  const reached = new Map<number, number>();
  for await (const chunk of image) {
    if (chunk.kind === 'cursors') await checkCursors(ledger, heads, chunk.rows);
    await filled.load(chunk);
    if (chunk.kind !== 'cursors') continue;
    for (const cursor of chunk.rows) reached.set(cursor.partition, cursor.seq);
  }
  for (const head of heads) await restorePartition(filled, ledger, head, reached.get(head.partition) ?? 0, nowMs);
}

async function checkCursors(
  ledger: Ledger,
  heads: readonly RecordedHead[],
  cursors: readonly ImageCursor[],
): Promise<void> {
  for (const cursor of cursors) {
    if (cursor.seq === 0) continue;
    const head = heads.find(({ partition }) => partition === cursor.partition) as RecordedHead;
    const [entry] = await ledger.entries(cursor.partition, cursor.seq - 1, 1);
    if (entry?.hash !== cursor.hash) throw new LedgerWentBack(cursor, head);
  }
}

async function restorePartition(
  engine: Filled,
  ledger: Ledger,
  head: RecordedHead,
  imageSeq: number,
  nowMs: number,
): Promise<void> {
  if (head.seq === 0) return;
  const { partition } = head;
  await restoreWindow(engine, ledger, head, imageSeq, nowMs);
  for (let seq = imageSeq; seq < head.seq; ) {
    const entries = await ledger.entries(partition, seq, ENTRIES_PER_READ);
    if (entries.length === 0)
      throw new Error(`partition ${partition}: the ledger has no entry after ${seq}, its head says ${head.seq}`);
    for (const stored of entries) await engine.replay(decodeEntry(stored.body));
    seq = entries.at(-1)?.seq ?? head.seq;
  }
}

/** The operations that are in the image; those after it are remembered as their entries are replayed. */
async function restoreWindow(
  engine: Filled,
  ledger: Ledger,
  { partition, seq: headSeq }: RecordedHead,
  imageSeq: number,
  nowMs: number,
): Promise<void> {
  const since = Math.max(await ledger.seqBefore(partition, nowMs - WINDOW_MS), headSeq - WINDOW_COUNT_MAX);
  let afterSeq = Math.min(since, imageSeq);
  await engine.load({ kind: 'window', partition, afterSeq });
  while (afterSeq < imageSeq) {
    const rows = await ledger.operations(partition, afterSeq, OPERATIONS_PER_READ);
    await engine.load({ kind: 'operations', rows: rows.filter(({ seq }) => seq <= imageSeq) });
    afterSeq = rows.at(-1)?.seq ?? imageSeq;
  }
}
