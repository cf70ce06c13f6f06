/**
 * Clients over a network that delays and loses: each operation is asked again under its id until it is answered for
 * certain, sometimes while the first request is still under way.
 */
import type { Execution } from '../../src/recording/command-executor.ts';
import type { Command, Item } from '../../src/stock/commands.ts';
import { partitionOf } from '../../src/stock/identifiers.ts';
import type { Move, Step } from './plan.ts';
import { Random } from './random.ts';
import type { SimulatedProcess } from './simulated-process.ts';
import type { World } from './world.ts';

const NETWORK_MS = 12;
const PATIENCE_MS = 4_000;
const RETRY_MS = 700;
/** A process that is up answers within this time, or a caller was forgotten. */
const ANSWER_MS_MAX = 120_000;

export interface Operation {
  step: number;
  hqId: string;
  operationId: string | null;
  body: string | null;
  move: Move;
  settled: boolean;
  attempts: number;
  reservationId: string | null;
  random: Random;
}

export class Clients {
  readonly operations: Operation[] = [];
  /** Ids for which something other than a refusal came back, once. */
  readonly #unsure = new Set<string>();
  readonly #byStep = new Map<number, Operation>();
  readonly #world: World;
  readonly #server: () => SimulatedProcess | null;
  /** Requests under way, by when they were sent. */
  readonly #underWay = new Map<object, { process: SimulatedProcess; sentAt: number; key: string; name: string }>();

  constructor(world: World, server: () => SimulatedProcess | null) {
    this.#world = world;
    this.#server = server;
  }

  get settled(): boolean {
    return this.operations.every((operation) => operation.settled);
  }

  perform({ number, seed, move }: Step): void {
    const random = new Random(seed);
    if (move.do === 'repeat') {
      this.#repeat(number, move, random);
      return;
    }
    const operation = this.#operationOf(number, move, random);
    if (operation === null) return;
    this.#byStep.set(number, operation);
    this.#begin(operation);
  }

  #begin(operation: Operation): void {
    this.operations.push(operation);
    this.#attempt(operation);
  }

  #repeat(number: number, { of, otherBody }: Extract<Move, { do: 'repeat' }>, random: Random): void {
    const first = this.#byStep.get(of);
    if (first === undefined || first.operationId === null) return;
    if (!otherBody) {
      this.#begin({ ...first, settled: false, attempts: 0, random });
      return;
    }
    const move: Move = { do: 'issue', hq: 0, items: [{ storeId: 'S1', productId: 'P1', quantity: 1 }], to: 'S1' };
    const body = `${first.body} otherwise ${number}`;
    this.#begin({
      ...first,
      step: number,
      move,
      body,
      settled: false,
      attempts: 0,
      reservationId: null,
      random,
    });
  }

  #operationOf(step: number, move: Move, random: Random): Operation | null {
    const target = 'of' in move ? this.#byStep.get(move.of) : undefined;
    if ('of' in move && (target === undefined || target.reservationId === null)) return null;
    const { hqIds } = this.#world.plan;
    const hqId = target?.hqId ?? (hqIds['hq' in move ? move.hq % hqIds.length : 0] as string);
    const withoutId = move.do === 'configure' || (move.do === 'release' && !move.withId);
    return {
      step,
      hqId,
      operationId: withoutId ? null : `op-${step}`,
      body: withoutId ? null : `body-${step}`,
      move,
      settled: false,
      attempts: 0,
      reservationId: target?.reservationId ?? null,
      random,
    };
  }

  #attempt(operation: Operation): void {
    const { scheduler } = this.#world;
    const { random } = operation;
    operation.attempts += 1;
    const attempt = { answered: false };
    scheduler.after(random.between(0, NETWORK_MS), () => this.#arrive(operation, attempt));
    if (random.chance(0.08)) scheduler.after(random.between(0, 30), () => this.#arrive(operation, { answered: true }));
    scheduler.after(random.between(PATIENCE_MS / 8, PATIENCE_MS), () => {
      if (attempt.answered || operation.settled) return;
      attempt.answered = true;
      this.#attempt(operation);
    });
  }

  #arrive(operation: Operation, attempt: { answered: boolean }): void {
    const process = this.#server();
    if (process === null || process.dead) {
      this.#again(operation, attempt);
      return;
    }
    void this.#execute(operation, attempt, process).catch((error: Error) => {
      if (!process.dead) this.#world.judge.blame('internal error', error.stack ?? error.message);
    });
  }

  #again(operation: Operation, attempt: { answered: boolean }): void {
    if (attempt.answered) return;
    attempt.answered = true;
    this.#world.scheduler.after(operation.random.between(1, RETRY_MS), () => {
      if (!operation.settled) this.#attempt(operation);
    });
  }

  async #execute(operation: Operation, attempt: { answered: boolean }, process: SimulatedProcess): Promise<void> {
    const { judge, scheduler } = this.#world;
    const { hqId, operationId, body } = operation;
    const command = await this.#commandOf(operation, process);
    const asked = { hqId, operationId, body, recordedBefore: judge.entries.length };
    const token = {};
    const key = `${hqId} ${operationId}`;
    this.#underWay.set(token, { process, sentAt: scheduler.nowMs, key, name: `${command.type} ${operationId}` });
    const execution = await process.execute({ ...PROVENANCE, hqId, operationId, fingerprint: body, command });
    if (process.dead) return;
    this.#underWay.delete(token);
    judge.answered(asked, execution);
    if (execution.status !== 'unavailable') this.#unsure.add(key);
    else if (operationId !== null) this.#checkRefused(hqId, operationId, key);
    const lost = !this.#world.calm && operation.random.chance(0.03);
    scheduler.after(operation.random.between(0, NETWORK_MS), () => {
      if (!lost) this.#receive(operation, attempt, execution);
    });
  }

  #receive(operation: Operation, attempt: { answered: boolean }, execution: Execution): void {
    const unsure = execution.status === 'unavailable' || execution.status === 'unknown';
    // A count whose difference was overtaken is computed again.
    if (unsure || (execution.status === 'observed' && execution.outcome.status === 'stale-count')) {
      this.#again(operation, attempt);
      return;
    }
    attempt.answered = true;
    operation.settled = true;
    if (execution.status !== 'recorded') return;
    const { command, outcome } = execution.entry;
    if (command.type === 'reserve' && outcome.status === 'reserved') {
      for (const own of this.operations) if (own.step === operation.step) own.reservationId = command.reservationId;
    }
  }

  async #commandOf({ hqId, move, reservationId, random }: Operation, process: SimulatedProcess): Promise<Command> {
    switch (move.do) {
      case 'reserve': {
        const id = `rsv_${partitionOf(hqId)}_${random.hex96()}`;
        const { items, ttlMs, order } = move;
        const storeId = items[0]?.storeId ?? 'S1';
        return {
          type: 'reserve',
          reservationId: id,
          storeId,
          transactionId: 'trx',
          ttlMs,
          items,
          ...(order ? { orderId: 'O0' } : {}),
        };
      }
      case 'confirm': {
        const part = move.part === null ? {} : { items: partOf(this.#itemsOf(move.of), move.part) };
        return {
          type: 'confirm',
          reservationId: reservationId ?? '',
          orderId: `O${move.order}`,
          keepRest: move.keepRest,
          ...part,
        };
      }
      case 'release':
        return { type: 'release', reservationId: reservationId ?? '' };
      case 'extend':
        return { type: 'extend', reservationId: reservationId ?? '', ttlMs: move.ttlMs };
      case 'count':
        return this.#countOf(hqId, move, process);
      case 'configure':
        return configurationOf(move);
      case 'receive':
      case 'issue':
        return { type: move.do, items: move.items };
      case 'adjust':
      case 'distribute':
      case 'transfer':
        return movementOf(move);
      default:
        throw new Error(`${move.do} is no command`);
    }
  }

  /** As the route does it: the difference to what the history says was on hand then. */
  async #countOf(
    hqId: string,
    { items, agoMs }: Extract<Move, { do: 'count' }>,
    process: SimulatedProcess,
  ): Promise<Command> {
    if (agoMs === null) return countCommand(null, items, []);
    const countedAt = this.#world.clock() - agoMs;
    return countCommand(countedAt, items, await process.onHandThen(hqId, items, countedAt));
  }

  #itemsOf(step: number): readonly Item[] {
    const move = this.#byStep.get(step)?.move;
    return move?.do === 'reserve' ? move.items : [];
  }

  /** Requests that a living process has had for too long. */
  forgotten(): string[] {
    const { nowMs } = this.#world.scheduler;
    return [...this.#underWay.values()]
      .filter(({ process, sentAt }) => !process.dead && nowMs - sentAt > ANSWER_MS_MAX)
      .map(({ name, sentAt }) => `${name}, sent at ${sentAt} ms, was never answered`);
  }

  /** 503 is said only when nothing was done: an id that was only ever refused has no entry. */
  #checkRefused(hqId: string, operationId: string, key: string): void {
    const { judge } = this.#world;
    if (this.#unsure.has(key) || [...this.#underWay.values()].some((other) => other.key === key)) return;
    if (judge.entryOf(hqId, operationId) !== undefined) {
      judge.blame('refused is undone', `${operationId} was only ever refused, and is recorded`);
    }
  }

  checkRefused(): void {
    for (const { hqId, operationId } of this.operations) {
      if (operationId !== null) this.#checkRefused(hqId, operationId, `${hqId} ${operationId}`);
    }
  }
}

const PROVENANCE = {
  actor: { subject: 'simulation', role: 'admin' },
  origin: 'simulation',
  correlationId: 'simulation',
  causationId: null,
};

function partOf(items: readonly Item[], quantity: number): Item[] {
  const [first] = items;
  return first === undefined ? [] : [{ ...first, quantity }];
}

type Then = {
  storeId: string;
  productId: string;
  onHand: number;
  lastCount: { countedAt: number; seq: number } | null;
};

function countCommand(countedAt: number | null, items: readonly Item[], then: readonly Then[]): Command {
  return {
    type: 'count',
    countedAt,
    reason: 'simulation',
    items: items.map(({ storeId, productId, quantity }) => {
      const known = then.find((level) => level.storeId === storeId && level.productId === productId);
      const basedOn = known?.lastCount ?? null;
      return { storeId, productId, counted: quantity, onHandThen: known?.onHand ?? null, basedOn };
    }),
  };
}

function configurationOf({ item, level, safety, low }: Extract<Move, { do: 'configure' }>): Command {
  const settings = { safetyStock: safety, lowThreshold: low };
  const { storeId, productId } = item;
  return level
    ? { type: 'configure-level', storeId, productId, settings }
    : { type: 'configure-product', productId, settings };
}

function movementOf(move: Extract<Move, { items: Item[]; to: string }>): Command {
  const { items, to } = move;
  if (move.do === 'adjust') {
    const changes = items.map(({ storeId, productId, quantity }) => ({ storeId, productId, change: quantity - 2 }));
    return { type: 'adjust', items: changes, reason: 'simulation' };
  }
  const from = move.do === 'distribute' ? 'HQ' : to === 'S1' ? 'S2' : 'S1';
  const [first] = items;
  const moved = first === undefined ? [] : [{ ...first, storeId: from }];
  return move.do === 'distribute'
    ? { type: 'distribute', storeId: to, items: moved, reason: 'simulation' }
    : { type: 'transfer', fromStoreId: from, toStoreId: to, items: moved, reason: 'simulation' };
}
