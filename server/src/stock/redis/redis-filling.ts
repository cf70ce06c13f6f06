/**
 * Fills partitions under a new epoch. Its keys carry the epoch in their names, so nobody sees them until the head is
 * written, and whoever fills an epoch that was overtaken fills nothing that anybody opens.
 */

import type { Settings } from '../commands.ts';
import { changesOf, type Entry, type Hold, isOpen } from '../entry.ts';
import { encodeHold } from '../entry-codec.ts';
import { partitionOf } from '../identifiers.ts';
import type { EngineFilling, RefillableEngine, SharedHead } from '../shared-engine.ts';
import type { ImageChunk, ImageLevel } from '../stock-engine.ts';
import { removeEpoch, removeOldEpochs } from './epoch-removal.ts';
import { headKey } from './keys.ts';
import type { RedisConnection } from './redis-connection.ts';
import type { Scripts } from './scripts.ts';

/** Commands in one script call: about a millisecond of the server's time. */
const COMMANDS_PER_CALL = 500;
const CALLS_IN_FLIGHT_MAX = 16;

/** A command for `load.lua`: its key without the epoch's prefix. */
type PackedCommand = (string | number)[];

interface FilledPartition {
  head: SharedHead;
  /** The last entry that is in it. */
  seq: number;
  at: number;
  floor: number;
  levels: number;
  commands: PackedCommand[];
}

export class RedisRefill implements RefillableEngine {
  readonly #connection: RedisConnection;
  readonly #scripts: Scripts;
  readonly #onError: (error: Error) => void;
  #removal: Promise<void> = Promise.resolve();

  /** `onError` hears of keys of earlier epochs that could not be removed; the next opening tries again. */
  constructor(connection: RedisConnection, scripts: Scripts, onError: (error: Error) => void) {
    this.#connection = connection;
    this.#scripts = scripts;
    this.#onError = onError;
  }

  async refill(heads: readonly SharedHead[]): Promise<EngineFilling> {
    await removeEpoch(this.#connection, heads);
    return new RedisFilling(this.#connection, this.#scripts, heads, () => this.#removeOldEpochs());
  }

  /** Until nothing of earlier epochs is being removed. */
  settled(): Promise<void> {
    return this.#removal;
  }

  #removeOldEpochs(): void {
    this.#removal = this.#removal
      .then(() => removeOldEpochs(this.#connection))
      .catch((error: unknown) => this.#onError(error as Error));
  }
}

class RedisFilling implements EngineFilling {
  readonly #connection: RedisConnection;
  readonly #scripts: Scripts;
  readonly #partitions = new Map<number, FilledPartition>();
  /** Default safety stock of products that have one, by HQ and product. */
  readonly #defaults = new Map<string, number>();
  readonly #onOpened: () => void;
  readonly #inFlight = new Set<Promise<void>>();
  #failure: Error | null = null;

  constructor(connection: RedisConnection, scripts: Scripts, heads: readonly SharedHead[], onOpened: () => void) {
    this.#connection = connection;
    this.#scripts = scripts;
    this.#onOpened = onOpened;
    for (const head of heads) {
      this.#partitions.set(head.partition, { head, seq: 0, at: 0, floor: 0, levels: 0, commands: [] });
    }
  }

  async load(chunk: ImageChunk): Promise<void> {
    switch (chunk.kind) {
      case 'cursors':
        for (const { partition, seq, at } of chunk.rows) {
          const filled = this.#partition(partition);
          Object.assign(filled, { seq, at, floor: seq });
        }
        break;
      case 'window':
        this.#partition(chunk.partition).floor = chunk.afterSeq;
        break;
      case 'stores':
        for (const { hqId, storeId, settings } of chunk.rows) {
          this.#of(hqId).commands.push(...storeCommands(hqId, storeId, settings));
        }
        break;
      case 'products':
        for (const { hqId, productId, settings } of chunk.rows) this.#loadProduct(hqId, productId, settings);
        break;
      case 'levels':
        this.#loadLevels(chunk.rows);
        break;
      case 'holds':
        for (const { hqId, hold, closedAt } of chunk.rows) {
          this.#of(hqId).commands.push(...holdCommands(hqId, hold, { seq: 0, at: closedAt ?? hold.createdAt }));
        }
        break;
      case 'operations':
        for (const { partition, hqId, operationId, seq, at } of chunk.rows) {
          this.#partition(partition).commands.push(...operationCommands(hqId, operationId, { seq, at }));
        }
        break;
    }
    await this.#send(COMMANDS_PER_CALL);
  }

  async replay(entry: Entry): Promise<void> {
    const filled = this.#partition(entry.partition);
    if (entry.seq !== filled.seq + 1) throw new Error(`entry ${entry.seq} does not follow ${filled.seq}`);
    filled.commands.push(...this.#lineCommands(filled, entry), ...this.#settingsCommands(entry));
    for (const hold of entry.holds) filled.commands.push(...holdCommands(entry.hqId, hold, entry));
    if (entry.operationId !== null) {
      filled.commands.push(...operationCommands(entry.hqId, entry.operationId, entry));
    }
    filled.seq = entry.seq;
    filled.at = entry.at;
    if (filled.commands.length >= COMMANDS_PER_CALL) await this.#send(COMMANDS_PER_CALL);
  }

  async open(): Promise<void> {
    for (const { head, seq } of this.#partitions.values()) {
      if (seq !== head.seq)
        throw new Error(`partition ${head.partition} was filled up to entry ${seq}, its head is at ${head.seq}`);
    }
    await this.#send(1);
    await Promise.all(this.#inFlight);
    if (this.#failure !== null) throw this.#failure;
    await Promise.all([...this.#partitions.values()].map((filled) => this.#openOne(filled)));
    this.#onOpened();
  }

  async #openOne({ head, at, floor, levels }: FilledPartition): Promise<void> {
    const { partition, epoch, seq, mark } = head;
    const [answer] = await this.#scripts.call(this.#connection, 'open', headKey(partition), {
      epoch,
      seq,
      mark,
      at: Math.max(at, head.at),
      floor,
      levels,
    });
    if (answer !== 'opened') throw overtaken(partition, epoch);
  }

  #loadProduct(hqId: string, productId: string, settings: Settings): void {
    if (settings.safetyStock !== null && settings.safetyStock !== 0) {
      this.#defaults.set(`${hqId}:${productId}`, settings.safetyStock);
    }
    this.#of(hqId).commands.push(...productCommands(hqId, productId, settings));
  }

  /** Sums of a product are added up over the chunk first. */
  #loadLevels(rows: readonly ImageLevel[]): void {
    const sums = new Map<string, { hqId: string; stores: string[]; sums: [number, number, number, number] }>();
    for (const row of rows) {
      const name = `${row.hqId}:${row.productId}`;
      const filled = this.#of(row.hqId);
      filled.levels += 1;
      filled.commands.push(levelCommand(row));
      let product = sums.get(name);
      if (product === undefined) {
        product = { hqId: row.hqId, stores: [], sums: [0, 0, 0, 0] };
        sums.set(name, product);
      }
      product.stores.push(row.storeId);
      product.sums[0] += row.onHand;
      product.sums[1] += row.reserved;
      product.sums[2] += row.safetyStock ?? this.#defaults.get(name) ?? 0;
      product.sums[3] = Math.max(product.sums[3], row.updatedAt);
    }
    for (const [name, product] of sums) {
      const { commands } = this.#of(product.hqId);
      commands.push(['SUMS', `product:${name}`, ...product.sums]);
      for (let first = 0; first < product.stores.length; first += COMMANDS_PER_CALL) {
        commands.push(['RPUSH', `stores-of:${name}`, ...product.stores.slice(first, first + COMMANDS_PER_CALL)]);
      }
    }
  }

  /** A line says what its level is afterwards, so it is written as it is. */
  #lineCommands(filled: FilledPartition, entry: Entry): PackedCommand[] {
    const { hqId, command, outcome } = entry;
    const commands: PackedCommand[] = [];
    for (const { line, before, after } of changesOf(entry)) {
      const name = `${hqId}:${after.productId}`;
      const key = `level:${hqId}:${after.storeId}:${after.productId}`;
      if (before.version === 0) {
        filled.levels += 1;
        commands.push(['RPUSH', `stores-of:${name}`, after.storeId]);
      }
      commands.push(['HSET', key, 'onHand', after.onHand, 'reserved', after.reserved, 'version', after.version]);
      if (command.type === 'configure-level') commands.push(...settingCommands(key, command.settings));
      if (outcome.status === 'counted') {
        commands.push(['HSET', key, 'countedAt', outcome.countedAt, 'countSeq', entry.seq]);
      }
      const safetyBefore = before.version === 0 ? 0 : before.safetyStock;
      const sums = [line.onHandChange, line.reservedChange, after.safetyStock - safetyBefore, entry.at];
      commands.push(['SUMS', `product:${name}`, ...sums]);
    }
    return commands;
  }

  #settingsCommands({ command, hqId, read }: Entry): PackedCommand[] {
    if (command.type === 'configure-store') return storeCommands(hqId, command.storeId, command.settings);
    if (command.type !== 'configure-product') return [];
    const change = (command.settings.safetyStock ?? 0) - (read.settings?.current?.safetyStock ?? 0);
    return [
      ...productCommands(hqId, command.productId, command.settings),
      ['SUMS', `product:${hqId}:${command.productId}`, 0, 0, change * read.levels.length, 0],
    ];
  }

  #of(hqId: string): FilledPartition {
    return this.#partition(partitionOf(hqId));
  }

  #partition(partition: number): FilledPartition {
    const filled = this.#partitions.get(partition);
    if (filled === undefined) throw new Error(`partition ${partition} is not being filled`);
    return filled;
  }

  /** Sends what has come together in partitions with at least so many commands, a bounded number of calls at once. */
  async #send(commandsMin: number): Promise<void> {
    for (const filled of this.#partitions.values()) {
      if (filled.commands.length < commandsMin) continue;
      const commands = filled.commands;
      filled.commands = [];
      for (let first = 0; first < commands.length; first += COMMANDS_PER_CALL) {
        while (this.#inFlight.size >= CALLS_IN_FLIGHT_MAX) await Promise.race(this.#inFlight);
        if (this.#failure !== null) throw this.#failure;
        this.#start(filled.head, commands.slice(first, first + COMMANDS_PER_CALL));
      }
    }
  }

  #start({ partition, epoch }: SharedHead, commands: PackedCommand[]): void {
    const texts = commands.map((command) => command.map(String));
    const call = this.#scripts
      .call(this.#connection, 'load', headKey(partition), { partition, epoch, commands: JSON.stringify(texts) })
      .then(([answer]) => {
        if (answer !== 'loaded') throw overtaken(partition, epoch);
      })
      .catch((error: unknown) => {
        this.#failure ??= error as Error;
      })
      .finally(() => this.#inFlight.delete(call));
    this.#inFlight.add(call);
  }
}

function overtaken(partition: number, epoch: number): Error {
  return new Error(`partition ${partition} was opened under epoch ${epoch} or a later one by somebody else`);
}

function settingCommands(key: string, { safetyStock, lowThreshold }: Settings): PackedCommand[] {
  return [
    safetyStock === null ? ['HDEL', key, 'safetyStock'] : ['HSET', key, 'safetyStock', safetyStock],
    lowThreshold === null ? ['HDEL', key, 'lowThreshold'] : ['HSET', key, 'lowThreshold', lowThreshold],
  ];
}

function storeCommands(hqId: string, storeId: string, settings: Settings): PackedCommand[] {
  const key = `store:${hqId}:${storeId}`;
  return [['HSET', key, 'known', 1], ...settingCommands(key, settings)];
}

function productCommands(hqId: string, productId: string, { safetyStock, lowThreshold }: Settings): PackedCommand[] {
  const key = `product:${hqId}:${productId}`;
  return [
    ['SUMS', key, 0, 0, 0, 0],
    safetyStock === null ? ['HDEL', key, 'defaultSafetyStock'] : ['HSET', key, 'defaultSafetyStock', safetyStock],
    lowThreshold === null ? ['HDEL', key, 'defaultLowThreshold'] : ['HSET', key, 'defaultLowThreshold', lowThreshold],
  ];
}

function levelCommand(row: ImageLevel): PackedCommand {
  const { onHand, reserved, version, safetyStock, lowThreshold, lastCount } = row;
  const command: PackedCommand = ['HSET', `level:${row.hqId}:${row.storeId}:${row.productId}`];
  command.push('onHand', onHand, 'reserved', reserved, 'version', version);
  if (safetyStock !== null) command.push('safetyStock', safetyStock);
  if (lowThreshold !== null) command.push('lowThreshold', lowThreshold);
  if (lastCount !== null) command.push('countedAt', lastCount.countedAt, 'countSeq', lastCount.seq);
  return command;
}

function holdCommands(hqId: string, hold: Hold, { seq, at }: { seq: number; at: number }): PackedCommand[] {
  const set = ['SET', `hold:${hold.reservationId}`, `${hqId} ${seq} ${at} ${encodeHold(hold)}`];
  if (isOpen(hold)) return [set, ['ZADD', 'due', hold.expiresAt, hold.reservationId]];
  return [set, ['ZREM', 'due', hold.reservationId], ['ZADD', 'closed', at, hold.reservationId]];
}

/** Without a mark: what an engine is filled with is in the ledger. */
function operationCommands(
  hqId: string,
  operationId: string,
  { seq, at }: { seq: number; at: number },
): PackedCommand[] {
  const name = `${hqId}/${operationId}`;
  return [
    ['HSET', 'operations', name, seq],
    ['RPUSH', 'operation-queue', `${seq} ${at} ${name}`],
  ];
}
