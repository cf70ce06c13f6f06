/**
 * Quarantine and rebuild of single partitions, while the others serve on (`recording.md`, rules 15 to 17). It starts in
 * the ledger: a new epoch by compare-and-set, so that nobody of the old one can record any more; then the ledger is
 * read, the engine filled, and opened last.
 */
import type { Evidence, SharedLedger } from '../../ledger/shared-ledger.ts';
import type { RefillableEngine, SharedHead } from '../../stock/shared-engine.ts';
import { POISON_MS, POISON_REBUILDS_MAX } from '../batch.ts';
import { type ImageSource, LedgerWentBack, restorePartitions } from '../restore.ts';
import { isBehind } from './cluster-acknowledgements.ts';
import type { PartitionStates, SeenHead, WaitingPartition } from './partition-states.ts';

export interface RebuildParts {
  ledger: SharedLedger;
  engine: RefillableEngine;
  images: ImageSource;
  states: PartitionStates;
  /** Epoch milliseconds. */
  now: () => number;
  /** Entries of one partition that may be refused within ten minutes before it waits for an operator. */
  poisonRebuildsMax?: number;
}

export type Rebuilt =
  /** The engine is open at these heads. */
  | { status: 'opened'; heads: SharedHead[] }
  /** Waits for an operator. */
  | { status: 'waiting'; partition: number; reason: string };

export class PartitionRebuild {
  readonly #parts: RebuildParts;

  constructor(parts: RebuildParts) {
    this.#parts = parts;
  }

  /**
   * Fills the engine of these partitions anew; `seen` are heads that this process knows to be recorded.
   * @throws LedgerConflict when somebody else moved one of them; any error of the ledger or the engine: try again.
   */
  async rebuild(seen: readonly SeenHead[]): Promise<Rebuilt> {
    const { ledger } = this.#parts;
    const heads = await ledger.headsOf(seen.map(({ partition }) => partition));
    for (const head of heads) {
      const known = seen.find(({ partition }) => partition === head.partition);
      if (known === undefined || !isBehind(head, known)) continue;
      const waits = await this.wentBack(head, known, 'this recorder has recorded');
      if (waits !== null) return waits;
    }
    return this.#fill(await ledger.openEpoch(heads));
  }

  async #fill(heads: SharedHead[]): Promise<Rebuilt> {
    const { ledger, engine, images, now } = this.#parts;
    const filling = await engine.refill(heads);
    try {
      await restorePartitions(filling, ledger, images, heads, now());
    } catch (error) {
      if (!(error instanceof LedgerWentBack)) throw error;
      const head = heads.find(({ partition }) => partition === error.partition) ?? (heads[0] as SharedHead);
      const { partition, epoch } = head;
      const seen = { partition, epoch, seq: error.seq };
      await this.#parts.states.halt(seen, 'ledger-went-back', error.message);
      return { status: 'waiting', partition, reason: error.message };
    }
    return { status: 'opened', heads };
  }

  /**
   * Somebody has seen more of the ledger than it holds: it was replaced by an older one, and the engine may have the only
   * copy. Null: an operator has accepted that since.
   */
  async wentBack(head: SharedHead, seen: SeenHead, who: string): Promise<Rebuilt | null> {
    const { partition } = head;
    const reason =
      `${who} entry ${seen.seq} in epoch ${seen.epoch}, the ledger ends at entry ${head.seq} in epoch ${head.epoch}: ` +
      'the database was replaced by an older copy';
    const waits = await this.#parts.states.halt(seen, 'ledger-went-back', reason);
    return waits ? { status: 'waiting', partition, reason } : null;
  }

  /**
   * Keeps what was refused; too often within ten minutes, and the partition waits for an operator (null: it does not).
   * Overtaken: somebody else records it by now, and what was read was held against what was no longer the last.
   */
  async keepEvidence(evidence: Evidence, before: SeenHead): Promise<Rebuilt | 'overtaken' | null> {
    const { ledger, states, poisonRebuildsMax = POISON_REBUILDS_MAX } = this.#parts;
    const { partition, epoch, seq, at, reason } = evidence;
    const [head] = await ledger.headsOf([partition]);
    if (head?.epoch !== before.epoch || head.seq !== before.seq) return 'overtaken';
    await ledger.keepEvidence(evidence);
    const rejections = await states.rejectionsSince(partition, at - POISON_MS);
    if (rejections <= poisonRebuildsMax) return null;
    const text = `${rejections} entries were refused within ${POISON_MS / 60_000} minutes, the last one because ${reason}`;
    await states.halt({ partition, epoch, seq }, 'rejected-entries', text);
    return { status: 'waiting', partition, reason: text };
  }

  /**
   * The operator has said to go on from the ledger as it is: under an epoch that nobody has seen.
   * @throws as `rebuild`
   */
  async resume({ partition, seenEpoch }: WaitingPartition): Promise<Rebuilt> {
    const { ledger, states } = this.#parts;
    let heads = await ledger.headsOf([partition]);
    do heads = await ledger.openEpoch(heads);
    while ((heads[0] as SharedHead).epoch <= seenEpoch);
    await states.accepted(partition, (heads[0] as SharedHead).epoch);
    return this.#fill(heads);
  }
}

/** How long the first rebuild that follows another is put off; each further one twice as long, up to the maximum. */
const REBUILD_PAUSE_MS = 250;
const REBUILD_PAUSE_MS_MAX = 15_000;
/** A rebuild this long after the one before does not follow it. */
const REBUILD_CALM_MS = 30_000;

/** Rebuilds back off when they follow each other. */
export class RebuildPauses {
  /** By partition: when it was last rebuilt, and how many rebuilds followed each other. */
  readonly #rebuilds = new Map<number, { at: number; count: number }>();

  /** How long to wait before these are rebuilt together, in milliseconds. */
  before(partitions: readonly number[]): number {
    const now = performance.now();
    const pauses = partitions.map((partition) => {
      const last = this.#rebuilds.get(partition);
      const count = last === undefined || now - last.at > REBUILD_CALM_MS ? 0 : last.count + 1;
      this.#rebuilds.set(partition, { at: now, count });
      return count === 0 ? 0 : Math.min(REBUILD_PAUSE_MS * 2 ** (count - 1), REBUILD_PAUSE_MS_MAX);
    });
    return Math.max(...pauses);
  }
}
