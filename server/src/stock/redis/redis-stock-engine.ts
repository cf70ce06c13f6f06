/**
 * The shared engine: levels, holds and the operation window in Redis, one Lua script per command. A script is one atomic
 * step, whichever process calls it. It only proposes: its entry is checked and recorded before anyone is answered. Every
 * call names the epoch and the recorded head that the caller knows, and an engine that is behind it answers nothing.
 */
import type { Command } from '../commands.ts';
import type { Hold, LevelRead, TotalsRead } from '../entry.ts';
import { ENTRY_VERSION, type Entry } from '../entry.ts';
import {
  decodeLevel,
  decodeTotals,
  encodeCommand,
  encodeHold,
  encodeRequest,
  parseDecided,
  parseHold,
} from '../entry-codec.ts';
import { partitionOf, partitionOfReservation } from '../identifiers.ts';
import { PARTITION_COUNT } from '../limits.ts';
import type { Outcome } from '../outcome.ts';
import {
  type CommandRequest,
  type Decision,
  type EngineCounts,
  EngineNotOpen,
  type LevelView,
  type Place,
  type StockEngine,
  type UnavailableReason,
} from '../stock-engine.ts';
import { headKey } from './keys.ts';
import { type RedisConnection, RedisRefused, type RedisReply, RedisUnanswered } from './redis-connection.ts';
import type { ScriptArguments, ScriptName } from './script-arguments.ts';
import type { Scripts } from './scripts.ts';

export interface RedisEngineParts {
  connection: RedisConnection;
  scripts: Scripts;
  /** Epoch milliseconds of this node, to which the engine's clock is held. */
  now: () => number;
  /** The epoch and recorded head of a partition as this node knows them; undefined: it does not know yet. */
  knownHead: (partition: number) => { epoch: number; seq: number } | undefined;
  /** Hears that the engine is not what the ledger says: of another epoch, behind its recorded head, or empty. */
  onLost: (partition: number, reason: string) => void;
  /** Hears that the engine's clock is this far ahead, in milliseconds: nothing expires meanwhile. */
  onClockAhead: (partition: number, aheadMs: number) => void;
}

type Known = ScriptArguments<'read-head'>;

/** Arguments of a script without those that every call carries. */
type Own<Name extends ScriptName> = Omit<ScriptArguments<Name>, keyof Known>;

export class RedisStockEngine implements StockEngine {
  readonly #parts: RedisEngineParts;

  constructor(parts: RedisEngineParts) {
    this.#parts = parts;
  }

  async decide(request: CommandRequest): Promise<Decision> {
    const { command, hqId } = request;
    if (command.type === 'expire') throw new Error('the engine itself decides what expires');
    const partition = partitionOf(hqId);
    const known = this.#known(partition);
    if (known === undefined) return { kind: 'unavailable', reason: 'not-open' };
    try {
      // The scripts of all commands take the same arguments.
      const reply = await this.#call(command.type as 'reserve', known, this.#argumentsOf(request, command));
      return this.#decisionOf(request, known, reply as string[]);
    } catch (error) {
      if (error instanceof RedisRefused) return { kind: 'unavailable', reason: 'not-open' };
      if (error instanceof RedisUnanswered) return { kind: 'undecided' };
      throw error;
    }
  }

  #argumentsOf(request: CommandRequest, command: Command): Own<'reserve'> {
    const { projectedHold } = request;
    const commandText = encodeCommand(command);
    return {
      nowMs: this.#parts.now(),
      hqId: request.hqId,
      operationId: request.operationId ?? '',
      lookedUpAt: request.lookedUpAt ?? 0,
      projectedHold: projectedHold === undefined ? '' : projectedHold === null ? 'null' : encodeHold(projectedHold),
      correlation: JSON.stringify(request.correlationId),
      // With the command: Lua hashes every byte of every text that it makes, so it had better not join the two.
      requestText: `${encodeRequest(request)},"command":${commandText}`,
      commandText,
    };
  }

  #decisionOf(request: CommandRequest, known: Known, reply: readonly string[]): Decision {
    const [kind, first, second, third, fourth] = reply as [string, string, string, string, string];
    const place = (seq: string, mark: string): Place => placeOf(known, seq, mark);
    switch (kind) {
      case 'decided':
        return {
          kind,
          entry: decidedEntry(request, known, { seq: first, at: second, decided: fourth }),
          place: place(first, third),
        };
      case 'repeated':
        return { kind, place: place(first, second) };
      case 'observed':
        return {
          kind,
          outcome: JSON.parse(first) as Outcome,
          hold: second === '' ? null : parseHold(second),
          head: place(third, fourth),
        };
      case 'look-up-operation':
      case 'look-up-hold':
        return { kind };
      case 'unavailable':
        return { kind, reason: first as UnavailableReason };
      case 'lost':
        this.#parts.onLost(Number(known.partition), first);
        return { kind: 'unavailable', reason: 'not-open' };
      default:
        throw new Error(`the script of ${request.command.type} answers ${kind}`);
    }
  }

  /** Closes at most one batch of each partition; any number of processes may call it. */
  async expireDue(): Promise<{ holds: number; latestMs: number }> {
    const nowMs = this.#parts.now();
    const replies = await Promise.all(
      this.#allKnown().map(async (known) => this.#expired(known, await this.#tryCall('expire-due', known, { nowMs }))),
    );
    return {
      holds: replies.reduce((sum, { holds }) => sum + holds, 0),
      latestMs: Math.max(0, ...replies.map(({ latestMs }) => latestMs)),
    };
  }

  #expired(known: Known, reply: readonly RedisReply[] | null): { holds: number; latestMs: number } {
    const [kind, first, second] = (reply ?? []) as string[];
    if (kind === 'lost') this.#parts.onLost(Number(known.partition), first as string);
    if (kind === 'clock-ahead') this.#parts.onClockAhead(Number(known.partition), Number(first));
    return kind === 'expired' ? { holds: Number(first), latestMs: Number(second) } : { holds: 0, latestMs: 0 };
  }

  async levels(hqId: string, keys: readonly { storeId: string; productId: string }[]): Promise<(LevelView | null)[]> {
    const names = JSON.stringify(keys.flatMap(({ storeId, productId }) => [storeId, productId]));
    const [, found] = await this.#read('read-levels', partitionOf(hqId), { hqId, names });
    return (JSON.parse(found as string) as ([unknown[], number] | null)[]).map((row) =>
      row === null ? null : { ...(decodeLevel(row[0]) satisfies LevelRead), hqOnHand: row[1] },
    );
  }

  async totals(hqId: string, productId: string): Promise<(TotalsRead & { updatedAt: number }) | null> {
    const [, found] = await this.#read('read-totals', partitionOf(hqId), { hqId, productId });
    const row = JSON.parse(found as string) as [unknown[], number] | null;
    return row === null ? null : { ...decodeTotals(row[0]), updatedAt: row[1] };
  }

  async hold(reservationId: string): Promise<{ hqId: string; hold: Hold; head: Place } | null> {
    const partition = partitionOfReservation(reservationId);
    if (partition === null) return null;
    const known = this.#known(partition);
    const [, hqId, text, seq, mark] = (await this.#read('read-hold', partition, { reservationId })) as string[];
    if (hqId === undefined || hqId === '' || text === undefined) return null;
    return { hqId, hold: parseHold(text), head: placeOf(known as Known, seq as string, mark as string) };
  }

  async head(hqId: string): Promise<Place> {
    const partition = partitionOf(hqId);
    const known = this.#known(partition);
    const [, seq, mark] = (await this.#read('read-head', partition, {})) as string[];
    return placeOf(known as Known, seq as string, mark as string);
  }

  /** Of the partitions that can be read now. */
  async counts(): Promise<EngineCounts> {
    const counts = { levels: 0, openHolds: 0, rememberedOperations: 0, unrecorded: 0, openPartitions: 0 };
    const replies = await Promise.all(this.#allKnown().map((known) => this.#tryCall('read-head', known, {})));
    for (const reply of replies) {
      if (reply?.[0] !== 'head') continue;
      const [levels, unrecorded, openHolds, operations] = reply.slice(3).map(Number) as [
        number,
        number,
        number,
        number,
      ];
      counts.openPartitions += 1;
      counts.levels += levels;
      counts.unrecorded += unrecorded;
      counts.openHolds += openHolds;
      counts.rememberedOperations += operations;
    }
    return counts;
  }

  /** The connection belongs to whoever opened it. */
  async close(): Promise<void> {}

  #known(partition: number): Known | undefined {
    const head = this.#parts.knownHead(partition);
    return head === undefined ? undefined : { partition, epoch: head.epoch, knownSeq: head.seq };
  }

  #allKnown(): Known[] {
    const partitions = Array.from({ length: PARTITION_COUNT }, (_, partition) => this.#known(partition));
    return partitions.filter((known) => known !== undefined);
  }

  #call<Name extends ScriptName>(name: Name, known: Known, own: Own<Name>): Promise<readonly RedisReply[]> {
    const { connection, scripts } = this.#parts;
    const values = { ...known, ...own } as unknown as ScriptArguments<Name>;
    return scripts.call(connection, name, headKey(Number(known.partition)), values);
  }

  /** Null where Redis did not answer. */
  async #tryCall<Name extends ScriptName>(name: Name, known: Known, own: Own<Name>) {
    try {
      return await this.#call(name, known, own);
    } catch (error) {
      if (error instanceof RedisRefused || error instanceof RedisUnanswered) return null;
      throw error;
    }
  }

  /** @throws EngineNotOpen */
  async #read<Name extends ScriptName>(name: Name, partition: number, own: Own<Name>): Promise<readonly RedisReply[]> {
    const known = this.#known(partition);
    if (known === undefined) throw new EngineNotOpen(`partition ${partition} is not open yet`);
    const reply = await this.#tryCall(name, known, own);
    if (reply === null) throw new EngineNotOpen('Redis does not answer');
    if (reply[0] !== 'lost') return reply;
    this.#parts.onLost(partition, reply[1] as string);
    throw new EngineNotOpen(reply[1] as string);
  }
}

function placeOf(known: Known, seq: string, mark: string): Place {
  return { partition: Number(known.partition), epoch: Number(known.epoch), seq: Number(seq), mark };
}

function decidedEntry(
  request: CommandRequest,
  known: Known,
  { seq, at, decided }: { seq: string; at: string; decided: string },
): Entry {
  return {
    version: ENTRY_VERSION,
    partition: Number(known.partition),
    epoch: Number(known.epoch),
    seq: Number(seq),
    at: Number(at),
    hqId: request.hqId,
    operationId: request.operationId,
    fingerprint: request.fingerprint,
    duplicateOf: null,
    actor: request.actor,
    origin: request.origin,
    correlationId: request.correlationId,
    causationId: request.causationId,
    command: request.command,
    ...parseDecided(decided),
  };
}
