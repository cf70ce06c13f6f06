/**
 * The journal as a recorder reads it. Each partition's head is compared at every reading; what follows the cursor's own
 * entry is taken only where the chain of marks continues it, computed again here.
 */
import { UnknownEntryVersion } from '../entry-codec.ts';
import type { JournalReading, SharedHead, StockJournal } from '../shared-engine.ts';
import type { JournalBatch } from '../stock-engine.ts';
import { chainedMark, entryOf, type JournalEntry, journalEntryOf } from './journal-entry.ts';
import { headKey, journalKey, WAKE_CHANNEL } from './keys.ts';
import type { RedisConnection, RedisReply } from './redis-connection.ts';
import type { Scripts } from './scripts.ts';

/** A partition that nobody wakes is looked at this often. */
const IDLE_CHECK_MS = 100;
/** Between two looks at partitions of which something is not recorded yet: doubled from the one to the other. */
const BUSY_WAIT_MS_MIN = 1;
const BUSY_WAIT_MS_MAX = 16;
/** Entries that are read before their size is known, and how much is read of one partition at once. */
const FIRST_ENTRIES = 128;
const BYTES_PER_READ = 4_000_000;
const OTHERS_ENTRIES = 16;

/** The head of a partition as the engine has it. */
interface EngineHead {
  epoch: number;
  seq: number;
  mark: string;
  recorded: number;
}

export class RedisJournal implements StockJournal {
  readonly #connection: RedisConnection;
  readonly #scripts: Scripts;
  /** Partitions of which the engine has more than it was told as recorded: nobody is woken for those. */
  readonly #busy = new Set<number>();
  /** How often somebody was woken for a partition. */
  readonly #wakes = new Map<number, number>();
  readonly #checkedAt = new Map<number, number>();
  #entryBytes = BYTES_PER_READ / FIRST_ENTRIES;
  #wake: (() => void) | null = null;

  /** Resolves when it is woken by commands that are decided from now on. */
  static async open(connection: RedisConnection, scripts: Scripts): Promise<RedisJournal> {
    const journal = new RedisJournal(connection, scripts);
    await connection.subscribe(WAKE_CHANNEL, (partition) => journal.#woken(Number(partition)));
    return journal;
  }

  private constructor(connection: RedisConnection, scripts: Scripts) {
    this.#connection = connection;
    this.#scripts = scripts;
  }

  /** Throws `RedisRefused` or `RedisUnanswered` while Redis is away. */
  async read(heads: readonly SharedHead[], limit: number, waitMs: number): Promise<JournalReading[]> {
    const until = performance.now() + waitMs;
    let busyWaitMs = BUSY_WAIT_MS_MIN;
    for (;;) {
      const readings = await this.#look(heads, limit);
      const restMs = until - performance.now();
      if (readings.length > 0 || restMs <= 0) return readings;
      const anyBusy = heads.some(({ partition }) => this.#busy.has(partition));
      await this.#sleep(Math.min(restMs, anyBusy ? busyWaitMs : IDLE_CHECK_MS));
      busyWaitMs = Math.min(2 * busyWaitMs, BUSY_WAIT_MS_MAX);
    }
  }

  async recorded(heads: readonly SharedHead[]): Promise<void> {
    await Promise.all(
      heads.map(async ({ partition, epoch, seq }) => {
        const key = headKey(partition);
        const wakes = this.#wakes.get(partition);
        const [kind, last] = await this.#scripts.call(this.#connection, 'recorded', key, { partition, epoch, seq });
        if (kind !== 'recorded') return;
        // What is decided from now on wakes us. What was decided before it woke nobody, and is looked for at once.
        if (Number(last) === seq) this.#rest(partition, wakes);
        else this.#wake?.();
      }),
    );
  }

  #woken(partition: number): void {
    this.#wakes.set(partition, (this.#wakes.get(partition) ?? 0) + 1);
    this.#busy.add(partition);
    this.#wake?.();
  }

  /**
   * Redis had nothing to record of this partition when it was asked. Wakes come over a connection of their own, which
   * may be faster than the reply: who was woken meanwhile has something to read, and would find it at the next idle
   * check only.
   */
  #rest(partition: number, wakesWhenAsked: number | undefined): void {
    if (this.#wakes.get(partition) === wakesWhenAsked) this.#busy.delete(partition);
  }

  async #sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = null;
  }

  async #look(heads: readonly SharedHead[], limit: number): Promise<JournalReading[]> {
    const now = performance.now();
    const due = heads.filter(
      ({ partition }) =>
        this.#busy.has(partition) || now - (this.#checkedAt.get(partition) ?? -IDLE_CHECK_MS) >= IDLE_CHECK_MS,
    );
    const busyCount = Math.max(1, due.filter(({ partition }) => this.#busy.has(partition)).length);
    const share = Math.max(1, Math.floor(Math.min(limit / busyCount, BYTES_PER_READ / this.#entryBytes)));
    const readings = await Promise.all(
      due.map((head) => this.#readOne(head, this.#busy.has(head.partition) ? share : Math.min(OTHERS_ENTRIES, share))),
    );
    return readings.filter((reading) => reading !== null);
  }

  /** Null: there is nothing to record. The head and what follows are asked for at once: one round trip. */
  async #readOne(head: SharedHead, count: number): Promise<JournalReading | null> {
    const { partition, epoch, seq } = head;
    this.#checkedAt.set(partition, performance.now());
    const key = headKey(partition);
    const busy = this.#busy.has(partition);
    const wakes = this.#wakes.get(partition);
    const range = ['XRANGE', journalKey(partition, epoch), `${epoch}-${seq}`, '+', 'COUNT', String(count + 1)];
    const [fields, early] = await Promise.all([
      this.#connection.send(key, ['HMGET', key, 'epoch', 'seq', 'mark', 'recorded']),
      busy ? this.#connection.send(key, range) : null,
    ]);
    const engine = engineHeadOf(fields as (string | null)[]);
    const unfit = unfitness(head, engine);
    if (unfit !== null || engine === null) return unfit;
    if (engine.recorded < engine.seq) this.#busy.add(partition);
    else this.#rest(partition, wakes);
    if (engine.seq === seq) return null;
    return this.#readingOf(head, (early ?? (await this.#connection.send(key, range))) as RedisReply[]);
  }

  #readingOf(head: SharedHead, reply: readonly RedisReply[]): JournalReading {
    const { partition } = head;
    const lost = (reason: string): JournalReading => ({ kind: 'lost', partition, reason });
    const found = reply.map(journalEntryOf);
    const [own] = found;
    const isOwn = own?.seq === head.seq;
    if (isOwn && own.mark !== head.mark) return lost(`entry ${head.seq} of the journal is another one`);
    const batch: JournalBatch = { partition, epoch: head.epoch, entries: [] };
    let { seq, mark } = head;
    for (const entry of found.slice(isOwn ? 1 : 0)) {
      if (entry === null || entry.seq !== seq + 1 || chainedMark(mark, entry) !== entry.mark) {
        return lost(`what follows entry ${seq} in the journal does not continue it`);
      }
      ({ seq, mark } = entry);
      try {
        this.#take(batch, entry);
      } catch (error) {
        if (!(error instanceof UnknownEntryVersion))
          return lost(`entry ${seq} cannot be read: ${(error as Error).message}`);
        // What is readable is recorded first.
        if (batch.entries.length > 0) break;
        return { kind: 'unreadable', partition, reason: error.message };
      }
    }
    if (batch.entries.length === 0) return lost(`the journal ends at entry ${head.seq}, its head does not`);
    return { kind: 'entries', batch };
  }

  #take(batch: JournalBatch, entry: JournalEntry): void {
    batch.entries.push({ entry: entryOf(batch.partition, entry), mark: entry.mark });
    const bytes = entry.request.length + entry.decision.length;
    this.#entryBytes += (bytes - this.#entryBytes) / 64;
  }
}

function engineHeadOf([epoch, seq, mark, recorded]: readonly (string | null)[]): EngineHead | null {
  if (epoch === null || epoch === undefined) return null;
  return { epoch: Number(epoch), seq: Number(seq), mark: mark ?? '', recorded: Number(recorded) };
}

/** Why the engine's head does not continue the ledger's; null: it does. */
function unfitness(head: SharedHead, engine: EngineHead | null): JournalReading | null {
  const { partition } = head;
  const lost = (reason: string): JournalReading => ({ kind: 'lost', partition, reason });
  if (engine === null) return lost('the engine has no head');
  const { epoch, seq, recorded } = engine;
  if (epoch > head.epoch || (epoch === head.epoch && recorded > head.seq)) {
    return { kind: 'ahead', partition, epoch, seq: recorded };
  }
  if (epoch < head.epoch) return lost(`the engine is in epoch ${epoch}, the ledger in epoch ${head.epoch}`);
  if (seq < head.seq) return lost(`the engine is at entry ${seq}, recorded is ${head.seq}`);
  if (seq === head.seq && engine.mark !== head.mark) return lost(`entry ${seq} of the engine is another one`);
  return null;
}
