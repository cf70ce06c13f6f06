/**
 * A Redis engine with its journal and its filling, on a connection of its own, and the heads that a recorder and a node
 * would know. Its clock is the test's: the script that asks Redis for the time is replaced by one that takes the caller's.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from '../../../src/stock/commands.ts';
import type { Entry } from '../../../src/stock/entry.ts';
import { partitionOf } from '../../../src/stock/identifiers.ts';
import { PARTITION_COUNT } from '../../../src/stock/limits.ts';
import { WINDOW_BOUNDS, type WindowBounds } from '../../../src/stock/operation-memory.ts';
import { openRedis, type RedisTarget } from '../../../src/stock/redis/open-redis.ts';
import type { RedisConnection } from '../../../src/stock/redis/redis-connection.ts';
import { RedisRefill } from '../../../src/stock/redis/redis-filling.ts';
import { RedisJournal } from '../../../src/stock/redis/redis-journal.ts';
import { RedisStockEngine } from '../../../src/stock/redis/redis-stock-engine.ts';
import { type ScriptSource, Scripts } from '../../../src/stock/redis/scripts.ts';
import { type SharedHead, startMark } from '../../../src/stock/shared-engine.ts';
import type { CommandRequest, Decision } from '../../../src/stock/stock-engine.ts';
import { HQ, requestOf } from '../requests.ts';

const LUA = join(import.meta.dirname, '../../../src/stock/redis/lua');

/** The scripts as they are, but for what a test must hold in its hand. */
export function sourceFor({
  engineAheadMs = 0,
  forgetsAtOnce = false,
  believesAnyClock = false,
}: RigOptions): ScriptSource {
  return (path) => {
    if (path === 'include/clock.lua' && engineAheadMs !== 'own') {
      return `local function engine_time() return tonumber(now_ms) + ${engineAheadMs} end`;
    }
    const text = readFileSync(join(LUA, path), 'utf8');
    if (path === 'include/moment.lua' && believesAnyClock) return text.replace('CLOCK_AHEAD_MS_MAX', '1e12');
    return forgetsAtOnce
      ? text.replace('local ROOM_EVERY, ROOM_STEPS = 8, 64', 'local ROOM_EVERY, ROOM_STEPS = 1, 64')
      : text;
  };
}

export interface RigOptions {
  bounds?: WindowBounds;
  /** How far the engine's clock is ahead of the caller's. `own`: the clock of the Redis server itself, as in production. */
  engineAheadMs?: number | 'own';
  /** Makes room before every command, as the memory engine does. */
  forgetsAtOnce?: boolean;
  /** A caller's clock that was set back stops no expiry, as in the memory engine. */
  believesAnyClock?: boolean;
}

export class EngineRig {
  readonly clock = { nowMs: Date.UTC(2026, 0, 5, 9) };
  readonly lost: string[] = [];
  readonly failures: Error[] = [];
  readonly clockAhead: number[] = [];
  readonly heads = new Map<number, SharedHead>();
  readonly entries: Entry[] = [];
  readonly connection: RedisConnection;
  readonly scripts: Scripts;
  readonly journal: RedisJournal;
  readonly engine: RedisStockEngine;
  readonly refill: RedisRefill;

  static async open(target: RedisTarget, options: RigOptions = {}): Promise<EngineRig> {
    const connection = await openRedis(target, () => undefined);
    const scripts = new Scripts(options.bounds ?? WINDOW_BOUNDS, sourceFor(options));
    await scripts.load(connection);
    return new EngineRig(connection, scripts, await RedisJournal.open(connection, scripts));
  }

  private constructor(connection: RedisConnection, scripts: Scripts, journal: RedisJournal) {
    this.connection = connection;
    this.scripts = scripts;
    this.journal = journal;
    this.refill = new RedisRefill(connection, scripts, (error) => this.failures.push(error));
    this.engine = new RedisStockEngine({
      connection,
      scripts,
      now: () => this.clock.nowMs,
      knownHead: (partition) => this.heads.get(partition),
      onLost: (_partition, reason) => this.lost.push(reason),
      onClockAhead: (_partition, aheadMs) => this.clockAhead.push(aheadMs),
    });
  }

  /** Opens an empty epoch of every partition, as a first start does. */
  async openEmpty(): Promise<void> {
    const heads = Array.from({ length: PARTITION_COUNT }, (_, partition) => headOf({ partition, epoch: 1 }));
    for (const head of heads) this.heads.set(head.partition, head);
    const filling = await this.refill.refill(heads);
    await filling.open();
  }

  head(hqId = HQ): SharedHead {
    return this.heads.get(partitionOf(hqId)) as SharedHead;
  }

  decide(command: Command, operationId: string | null = null, more: Partial<CommandRequest> = {}): Promise<Decision> {
    return this.engine.decide({ ...requestOf(command, operationId), ...more });
  }

  /** Decides what must make an entry. */
  async decided(command: Command, operationId: string | null = null): Promise<Entry> {
    const decision = await this.decide(command, operationId, { lookedUpAt: Number.MAX_SAFE_INTEGER });
    if (decision.kind !== 'decided') throw new Error(`expected a decision, got ${JSON.stringify(decision)}`);
    return decision.entry;
  }

  /** Takes all that was decided from the journal, and lets the engine know it as recorded. */
  async record(): Promise<Entry[]> {
    const recorded: Entry[] = [];
    while ((await this.engine.counts()).unrecorded > 0) {
      const readings = await this.journal.read([...this.heads.values()], 1_000, 1_000);
      for (const reading of readings) {
        if (reading.kind !== 'entries') throw new Error(JSON.stringify(reading));
        for (const { entry, mark } of reading.batch.entries) {
          const { partition, epoch, seq, at } = entry;
          this.heads.set(partition, { partition, epoch, seq, at, mark, hash: `hash of ${mark}` });
          recorded.push(entry);
        }
      }
      await this.journal.recorded([...this.heads.values()]);
    }
    this.entries.push(...recorded);
    return recorded;
  }

  /** A new epoch of the partition, filled from the entries alone. */
  async rebuild(hqId = HQ): Promise<void> {
    const before = this.head(hqId);
    const head = { ...before, ...headOf({ ...before, epoch: before.epoch + 1 }) };
    const filling = await this.refill.refill([head]);
    for (const entry of this.entries) if (entry.partition === head.partition) await filling.replay(entry);
    await filling.open();
    this.heads.set(head.partition, head);
  }

  async command(...args: string[]): Promise<unknown> {
    return this.connection.send(args[1] as string, args);
  }

  async close(): Promise<void> {
    await this.refill.settled();
    await this.connection.close();
  }
}

export function headOf(
  head: Pick<SharedHead, 'partition' | 'epoch'> & Partial<Pick<SharedHead, 'seq' | 'hash' | 'at'>>,
): SharedHead {
  const { partition, epoch, seq = 0, hash = '', at = 0 } = head;
  return { partition, epoch, seq, hash, at, mark: startMark(epoch, hash) };
}
