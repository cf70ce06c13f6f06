/** Buyers that ask again under the same id until they are told, and what must be true of what they were told. */
import { hash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import type { CommandExecutor, Execution } from '../../../../src/recording/command-executor.ts';
import type { Command } from '../../../../src/stock/commands.ts';
import type { Entry } from '../../../../src/stock/entry.ts';
import { newReservationId, partitionOf } from '../../../../src/stock/identifiers.ts';
import { requestOf, reserveOf, unitsOf } from '../../../stock/requests.ts';
import type { ClusterMember } from './cluster-member.ts';

const NO_SETTINGS = { safetyStock: null, lowThreshold: null };
const KEY = { storeId: 'S1', productId: 'P1' };
const PATIENCE_MS = 40_000;

type Asked = Pick<CommandExecutor, 'execute'>;

export class Buyers {
  readonly #executors: readonly Asked[];
  readonly hqIds: readonly string[];
  readonly #stock: number;
  /** By operation id: what its buyer was told. */
  readonly told = new Map<string, { hqId: string; status: string }>();
  #stopped = false;
  #number = 0;
  #running: Promise<unknown> = Promise.resolve();

  constructor(executors: readonly Asked[], hqIds: readonly string[], stock: number) {
    this.#executors = executors;
    this.hqIds = hqIds;
    this.#stock = stock;
  }

  async stockUp(): Promise<void> {
    for (const hqId of this.hqIds) {
      await this.ask({ type: 'configure-store', storeId: 'S1', settings: NO_SETTINGS }, `s/${hqId}`, hqId);
      await this.ask({ type: 'configure-product', productId: 'P1', settings: NO_SETTINGS }, `p/${hqId}`, hqId);
      await this.ask({ type: 'receive', items: [unitsOf(this.#stock)] }, `r/${hqId}`, hqId);
    }
  }

  /** Until it is told for certain, from whichever node answers. */
  async ask(command: Command, operationId: string, hqId: string): Promise<Execution> {
    const request = { ...requestOf(command, operationId), hqId };
    request.fingerprint = hash('sha256', request.fingerprint as string, 'hex');
    const endsAt = performance.now() + PATIENCE_MS;
    for (let attempt = 0; ; attempt += 1) {
      const executor = this.#executors[attempt % this.#executors.length] as Asked;
      const execution = await executor.execute(request);
      if (execution.status !== 'unavailable' && execution.status !== 'unknown') return execution;
      if (performance.now() > endsAt)
        throw new Error(`${operationId} of ${hqId} was never told: ${JSON.stringify(execution)}`);
      await delay(15);
    }
  }

  async buy(hqId: string): Promise<void> {
    this.#number += 1;
    const operationId = `buy-${this.#number}`;
    const reserve = { ...reserveOf(1), reservationId: newReservationId(partitionOf(hqId)) };
    const execution = await this.ask(reserve, operationId, hqId);
    if (execution.status !== 'recorded') throw new Error(`${operationId}: ${JSON.stringify(execution)}`);
    this.told.set(operationId, { hqId, status: execution.entry.outcome.status });
  }

  start(buyers: number): void {
    this.#stopped = false;
    const shop = async (number: number) => {
      const hqId = this.hqIds[number % this.hqIds.length] as string;
      while (!this.#stopped) await this.buy(hqId);
    };
    this.#running = Promise.all(Array.from({ length: buyers }, (_, number) => shop(number)));
    // It is looked at in `stop`.
    this.#running.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  /** Every answer is in the ledger once, and the engine has what the ledger says. */
  async check(member: ClusterMember): Promise<void> {
    for (const hqId of this.hqIds) {
      const entries = await member.entries(partitionOf(hqId));
      const level = soundLevel(entries, hqId);
      expect(level.reserved).toBeLessThanOrEqual(this.#stock);
      const statuses = new Map(
        entries.filter((entry) => entry.operationId !== null).map((entry) => [entry.operationId, entry]),
      );
      const buys = entries.filter(({ operationId }) => operationId?.startsWith('buy-'));
      expect(new Set(buys.map(({ operationId }) => operationId)).size).toBe(buys.length);
      for (const [operationId, told] of this.told) {
        if (told.hqId === hqId) expect(statuses.get(operationId)?.outcome.status, operationId).toBe(told.status);
      }
      const [engine] = await member.engine.levels(hqId, [KEY]);
      expect(engine).toMatchObject(level);
    }
  }
}

function soundLevel(entries: readonly Entry[], hqId: string): { onHand: number; reserved: number } {
  let level = { onHand: 0, reserved: 0 };
  for (const [index, entry] of entries.entries()) {
    expect(entry.seq).toBe(index + 1);
    if (entry.hqId !== hqId) continue;
    for (const line of entry.lines) {
      expect(entry.read.levels[line.level]).toMatchObject(level);
      level = { onHand: level.onHand + line.onHandChange, reserved: level.reserved + line.reservedChange };
      expect(level.onHand - level.reserved).toBeGreaterThanOrEqual(0);
    }
  }
  return level;
}
