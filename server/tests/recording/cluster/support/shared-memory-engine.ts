/**
 * A shared engine in memory, for interleavings that real servers cannot be made to show on demand. Its whole state is
 * the log of each partition, so that it can be put back, forked and emptied.
 */
import { hash } from 'node:crypto';
import type { Entry } from '../../../../src/stock/entry.ts';
import { encodeEntry } from '../../../../src/stock/entry-codec.ts';
import { partitionOf } from '../../../../src/stock/identifiers.ts';
import { MemoryStockEngine } from '../../../../src/stock/memory/memory-stock-engine.ts';
import type {
  EngineFilling,
  JournalReading,
  RefillableEngine,
  SharedHead,
  StockJournal,
} from '../../../../src/stock/shared-engine.ts';
import type { CommandRequest, Decision, ImageLevel, Place } from '../../../../src/stock/stock-engine.ts';

interface LogEntry {
  entry: Entry;
  mark: string;
}

/** What an engine knows of a partition. */
interface Lineage {
  epoch: number;
  /** The head that the epoch was opened at, and everything since. */
  start: SharedHead;
  filledWith: Entry[];
  log: LogEntry[];
  recordedSeq: number;
}

export class SharedMemoryEngine implements StockJournal, RefillableEngine {
  nowMs = Date.UTC(2026, 0, 5, 9);
  readonly #lineages = new Map<number, Lineage>();
  readonly #engines = new Map<number, MemoryStockEngine>();
  #wake: (() => void)[] = [];
  /** Called before each step of a filling, by its name. */
  onFilling: (step: string, heads: readonly SharedHead[]) => Promise<void> = async () => undefined;
  /** Changes an entry on its way to a recorder: an engine that differs from the rules. */
  tamper: (entry: Entry) => Entry = (entry) => entry;

  decide(request: CommandRequest, known: { epoch: number; seq: number } | undefined): Decision {
    const partition = partitionOf(request.hqId);
    const lineage = this.#lineages.get(partition);
    const engine = this.#engines.get(partition);
    if (known === undefined || lineage === undefined || engine === undefined)
      return { kind: 'unavailable', reason: 'not-open' };
    const head = headOf(lineage);
    if (lineage.epoch !== known.epoch || head.seq < known.seq) return { kind: 'unavailable', reason: 'not-open' };
    const decision = engine.decide(request);
    this.#takeDecided(engine, lineage);
    if (decision.kind === 'decided') return { ...decision, place: this.#placeAt(lineage, decision.place) };
    if (decision.kind === 'repeated') return { ...decision, place: this.#placeAt(lineage, decision.place) };
    if (decision.kind === 'observed') return { ...decision, head: this.#placeAt(lineage, decision.head) };
    return decision;
  }

  #takeDecided(engine: MemoryStockEngine, lineage: Lineage): void {
    if (engine.counts().unrecorded === 0) return;
    const batches = engine.nextBatches(Number.MAX_SAFE_INTEGER);
    if (batches instanceof Promise) throw new Error('nothing was decided');
    for (const { entry } of batches.flatMap(({ entries }) => entries)) {
      lineage.log.push({ entry, mark: hash('sha1', `${headOf(lineage).mark}\n${encodeEntry(entry)}`, 'hex') });
    }
    const { seq, mark } = headOf(lineage);
    engine.recorded({ ...lineage.start, seq, mark } as SharedHead);
    for (const wake of this.#wake.splice(0)) wake();
  }

  #placeAt({ start, epoch, log }: Lineage, { partition, seq }: Place): Place {
    const mark = seq === start.seq ? start.mark : (log.find(({ entry }) => entry.seq === seq)?.mark ?? '');
    return { partition, epoch, seq, mark };
  }

  headOf(partition: number): { epoch: number; seq: number; mark: string } | null {
    const lineage = this.#lineages.get(partition);
    return lineage === undefined ? null : headOf(lineage);
  }

  levels(hqId: string, keys: { storeId: string; productId: string }[]) {
    return this.#engines.get(partitionOf(hqId))?.levels(hqId, keys) ?? [];
  }

  async read(heads: readonly SharedHead[], limit: number, waitMs: number): Promise<JournalReading[]> {
    const readings = heads.flatMap((head) => this.#readOne(head, limit));
    if (readings.length > 0 || waitMs === 0) return structuredClone(readings);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(waitMs, 20));
      this.#wake.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    return this.read(heads, limit, 0);
  }

  #readOne(head: SharedHead, limit: number): JournalReading[] {
    const { partition } = head;
    const lineage = this.#lineages.get(partition);
    const lost = (reason: string): JournalReading[] => [{ kind: 'lost', partition, reason }];
    if (lineage === undefined) return lost('the engine has no head');
    const { epoch, recordedSeq, log, start } = lineage;
    if (epoch > head.epoch || (epoch === head.epoch && recordedSeq > head.seq))
      return [{ kind: 'ahead', partition, epoch, seq: recordedSeq }];
    if (epoch < head.epoch) return lost(`the engine is in epoch ${epoch}`);
    const own = head.seq === start.seq ? start.mark : log.find(({ entry }) => entry.seq === head.seq)?.mark;
    if (own === undefined) return lost(`the engine is behind entry ${head.seq}`);
    if (own !== head.mark) return lost(`entry ${head.seq} of the engine is another one`);
    const entries = log.filter(({ entry }) => entry.seq > head.seq).slice(0, limit);
    if (entries.length === 0) return [];
    const told = entries.map(({ entry, mark }) => ({ entry: this.tamper(structuredClone(entry)), mark }));
    return [{ kind: 'entries', batch: { partition, epoch, entries: told } }];
  }

  async recorded(heads: readonly SharedHead[]): Promise<void> {
    for (const { partition, epoch, seq } of heads) {
      const lineage = this.#lineages.get(partition);
      if (lineage?.epoch === epoch) lineage.recordedSeq = Math.max(lineage.recordedSeq, seq);
    }
  }

  async refill(heads: readonly SharedHead[]): Promise<EngineFilling> {
    await this.onFilling('begin', heads);
    const replayed: Entry[] = [];
    return {
      load: async () => undefined,
      replay: async (entry) => {
        replayed.push(entry);
      },
      open: async () => {
        await this.onFilling('open', heads);
        for (const head of heads) this.#open(head, replayed);
      },
    };
  }

  #open(head: SharedHead, replayed: readonly Entry[]): void {
    const { partition, epoch, seq } = head;
    if ((this.#lineages.get(partition)?.epoch ?? 0) >= epoch) throw new Error('opened by somebody else');
    const filledWith = replayed.filter((entry) => entry.partition === partition);
    this.#become(partition, { epoch, start: head, filledWith, log: [], recordedSeq: seq });
  }

  #become(partition: number, lineage: Lineage): void {
    const engine = new MemoryStockEngine(() => this.nowMs);
    const all = [...lineage.filledWith, ...lineage.log.map(({ entry }) => entry)];
    for (const entry of all) engine.replay(structuredClone(entry));
    const { epoch, start } = lineage;
    engine.open([{ ...start, epoch, seq: all.at(-1)?.seq ?? start.seq }]);
    this.#lineages.set(partition, lineage);
    this.#engines.set(partition, engine);
  }

  /** As after FLUSHALL. */
  empty(): void {
    this.#lineages.clear();
    this.#engines.clear();
  }

  snapshot(): Map<number, Lineage> {
    return structuredClone(this.#lineages);
  }

  /** As a replica that lagged, or a dump that was restored. */
  restore(snapshot: Map<number, Lineage>): void {
    this.empty();
    for (const [partition, lineage] of structuredClone(snapshot)) this.#become(partition, lineage);
  }

  /** A level changed by hand. */
  changeLevel(row: Pick<ImageLevel, 'hqId' | 'storeId' | 'productId' | 'onHand' | 'reserved' | 'version'>): void {
    const rest = { safetyStock: null, lowThreshold: null, lastCount: null, updatedAt: 0 };
    this.#engines.get(partitionOf(row.hqId))?.load({ kind: 'levels', rows: [{ ...row, ...rest }] });
  }
}

function headOf({ log, start, epoch }: Lineage): { epoch: number; seq: number; mark: string } {
  const last = log.at(-1);
  return { epoch, seq: last?.entry.seq ?? start.seq, mark: last?.mark ?? start.mark };
}
