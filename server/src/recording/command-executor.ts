import type { FoundOperation, Ledger } from '../ledger/ledger.ts';
import { HistoryBehind } from '../projections/history-reads.ts';
import type { Entry, Hold } from '../stock/entry.ts';
import { partitionOf } from '../stock/identifiers.ts';
import type { Outcome } from '../stock/outcome.ts';
import type { CommandRequest, Decision, Place, StockEngine, UnavailableReason } from '../stock/stock-engine.ts';
import type { Acknowledgement, Acknowledgements } from './acknowledgements.ts';

/** What a caller is told of a command. */
export type Execution =
  /** The entry is in the ledger; `replayed`: it was before this call. */
  | { status: 'recorded'; entry: Entry; replayed: boolean }
  /** Answered without an entry of its own; what the answer rests on is in the ledger. */
  | { status: 'observed'; outcome: Outcome; hold: Hold | null }
  /** The operation id belongs to another command: that of `entry`. */
  | { status: 'mismatch'; entry: Entry }
  /** Nothing was done; worth trying again. */
  | { status: 'unavailable'; reason: UnavailableReason | 'discarded' | 'look-up-failed' }
  /** Decided, but it cannot be told whether it is recorded. */
  | { status: 'unknown' };

/** Finds a reservation that the engine has forgotten, as of all that was recorded when asked. */
export type FindProjectedHold = (hqId: string, reservationId: string) => Promise<Hold | null>;

export interface ExecutorParts {
  engine: StockEngine;
  ledger: Ledger;
  acknowledgements: Pick<Acknowledgements, 'wait' | 'recordedSeq'>;
  findProjectedHold: FindProjectedHold;
  /** Hears how long the decision and the whole answer took, in milliseconds. */
  onAnswered?: (decisionMs: number, answerMs: number) => void;
  /** Hears of a failed read of the ledger or of the history, for which a caller was refused. */
  onReadFailed?: (error: Error) => void;
}

/** Look-ups that one command may need: its operation id and its hold, each once more if the window moved on. */
const LOOK_UPS_MAX = 6;

/** Decide, wait until it is recorded, answer: the one way in for every command, whoever sends it. */
export class CommandExecutor {
  readonly #parts: ExecutorParts;

  constructor(parts: ExecutorParts) {
    this.#parts = parts;
  }

  async execute(request: CommandRequest): Promise<Execution> {
    const startedAt = performance.now();
    let current = request;
    for (let lookUps = 0; lookUps <= LOOK_UPS_MAX; lookUps += 1) {
      const decisionStartedAt = performance.now();
      const decided = this.#parts.engine.decide(current);
      const decision = decided instanceof Promise ? await decided : decided;
      const decisionMs = performance.now() - decisionStartedAt;
      if (decision.kind === 'look-up-operation' || decision.kind === 'look-up-hold') {
        const found = await this.#lookUp(current, decision.kind);
        if ('status' in found) return found;
        current = found;
      } else {
        const execution = await this.#answer(current, decision);
        this.#parts.onAnswered?.(decisionMs, performance.now() - startedAt);
        return execution;
      }
    }
    return { status: 'unavailable', reason: 'overloaded' };
  }

  async #answer(
    request: CommandRequest,
    decision: Exclude<Decision, { kind: `look-up-${string}` }>,
  ): Promise<Execution> {
    switch (decision.kind) {
      case 'unavailable':
        return { status: 'unavailable', reason: decision.reason };
      case 'undecided':
        return this.#answerUndecided(request);
      case 'decided': {
        const acknowledgement = await this.#wait(decision.place);
        if (acknowledgement.status !== 'recorded') return refusal(acknowledgement);
        if (acknowledgement.duplicateOf === null) return { status: 'recorded', entry: decision.entry, replayed: false };
        return this.#replay(request, decision.place.partition, acknowledgement.duplicateOf);
      }
      case 'repeated': {
        const acknowledgement = await this.#wait(decision.place);
        if (acknowledgement.status !== 'recorded') return refusal(acknowledgement);
        // The first entry tells whose body it is: the engine may remember a duplicate of it with another one.
        return this.#replay(request, decision.place.partition, decision.place.seq);
      }
      case 'observed': {
        const acknowledgement = await this.#wait(decision.head);
        if (acknowledgement.status !== 'recorded') return refusal(acknowledgement);
        return { status: 'observed', outcome: decision.outcome, hold: decision.hold };
      }
    }
  }

  /** It may be decided and recorded already; that it is not there yet proves nothing. */
  async #answerUndecided(request: CommandRequest): Promise<Execution> {
    if (request.operationId === null) return { status: 'unknown' };
    const found = await this.#lookUp(request, 'look-up-operation');
    return 'status' in found && found.status !== 'unavailable' ? found : { status: 'unknown' };
  }

  /** Waits until what an answer rests on is in the ledger; false: it was discarded, or cannot be told. */
  async settled(place: Place): Promise<boolean> {
    return (await this.#wait(place)).status === 'recorded';
  }

  #wait(place: Place): Acknowledgement | Promise<Acknowledgement> {
    return this.#parts.acknowledgements.wait(place);
  }

  /**
   * The first result under this operation id, read from the ledger; a duplicate leads to its first. When it cannot be
   * read, nobody may be told that nothing was done.
   */
  async #replay(request: CommandRequest, partition: number, seq: number): Promise<Execution> {
    let entry: Entry | null;
    try {
      entry = await this.#parts.ledger.entry(partition, seq);
    } catch (error) {
      this.#parts.onReadFailed?.(error as Error);
      return { status: 'unknown' };
    }
    if (entry === null)
      throw new Error(`entry ${seq} of partition ${partition} is recorded, but the ledger does not show it`);
    if (entry.duplicateOf !== null) return this.#replay(request, partition, entry.duplicateOf);
    return entry.fingerprint === request.fingerprint
      ? { status: 'recorded', entry, replayed: true }
      : { status: 'mismatch', entry };
  }

  /** What the engine must know before it decides: the request with it, or the answer that was found instead. */
  async #lookUp(request: CommandRequest, kind: `look-up-${'operation' | 'hold'}`): Promise<Execution | CommandRequest> {
    let found: FoundOperation | undefined;
    try {
      if (kind === 'look-up-hold') return { ...request, projectedHold: await this.#lookUpHold(request) };
      const lookedUpAt = this.#parts.acknowledgements.recordedSeq(partitionOf(request.hqId));
      [found] = await this.#parts.ledger.findOperations(request.hqId, [request.operationId as string]);
      if (found === undefined) return { ...request, lookedUpAt };
    } catch (error) {
      if (error instanceof HistoryBehind) throw error;
      this.#parts.onReadFailed?.(error as Error);
      return { status: 'unavailable', reason: 'look-up-failed' };
    }
    return this.#replay(request, found.partition, found.seq);
  }

  #lookUpHold({ hqId, command }: CommandRequest): Promise<Hold | null> {
    const reservationId = 'reservationId' in command ? command.reservationId : undefined;
    return reservationId === undefined ? Promise.resolve(null) : this.#parts.findProjectedHold(hqId, reservationId);
  }
}

function refusal(acknowledgement: Exclude<Acknowledgement, { status: 'recorded' }>): Execution {
  return acknowledgement.status === 'discarded'
    ? { status: 'unavailable', reason: 'discarded' }
    : { status: 'unknown' };
}
