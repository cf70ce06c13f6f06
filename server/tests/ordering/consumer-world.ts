/**
 * Partitions with their messages, members that consume them, and what became of every message, for questions of
 * scheduling: what is under way when, in which order, and how far is committed. Time is the caller's (fake timers).
 */
import { vi } from 'vitest';
import { isEncrypted } from '../../src/events/encryption/event-keys.ts';
import type { ConsumedTopic } from '../../src/events/topics.ts';
import { OrderConsumer } from '../../src/ordering/consuming/consumer.ts';
import type { AssignedPartition } from '../../src/ordering/consuming/message-source.ts';
import type { Handling, OrderHandling } from '../../src/ordering/handling/handling.ts';
import type { ConsumedMessage, OrderMessage, ReadResult } from '../../src/ordering/messages/message.ts';
import { LettersInMemory } from './letters-in-memory.ts';

export const EARLY_MS = 30_000;
const RUBBISH = 'rubbish';
/** The reader throws. */
const UNHEARD_OF = 'unheard of';

/** `topic/partition` */
export type PartitionName = string;

export interface MemberOptions {
  earlyEventWaitMs?: number;
}

/** What a try of a message comes to; by its event id and the number of the try, from 1. */
export type Plan = (eventId: string, tries: number) => Handling;

export const DONE: Handling = { status: 'done', replayed: false };

export class World {
  readonly letters = new LettersInMemory();
  readonly log = new Map<PartitionName, ConsumedMessage[]>();
  readonly owners = new Map<PartitionName, Member>();
  /** Event ids in the order of their effects. */
  readonly effects: string[] = [];
  readonly hadEffect = new Set<string>();
  readonly results: string[] = [];
  /** Every call of a handling: `handle` or `giveUp`, and the event id. */
  readonly calls: string[] = [];
  readonly violations: string[] = [];
  readonly underWay = new Set<string>();
  readonly #tries = new Map<string, number>();
  readonly #lastEffect = new Map<string, number>();
  #appended = 0;
  plan: Plan = () => DONE;
  givenUp: Handling = { status: 'park', code: 'UNKNOWN_RESERVATION', reason: 'never heard of' };
  handlingMs = (): number => 1;
  ready = true;

  append(
    partition: PartitionName,
    key: string | null,
    { rubbish = false, unheardOf = false, encrypted = false, bytes = 0 } = {},
  ): string {
    const messages = this.log.get(partition) ?? [];
    this.log.set(partition, messages);
    const [topic = '', number = ''] = partition.split('/');
    const offset = BigInt(messages.length);
    this.#appended += 1;
    const value = rubbish ? RUBBISH : unheardOf ? UNHEARD_OF : `${this.#appended} ${' '.repeat(bytes)}`;
    messages.push({
      topic: topic as ConsumedTopic,
      partition: Number(number),
      offset,
      key,
      headers: new Map(encrypted ? [['holdfast-key-id', 'k']] : []),
      value: new TextEncoder().encode(value),
      at: Date.now(),
    });
    return eventIdOf({ topic: topic as ConsumedTopic, partition: Number(number), offset });
  }

  handlingOf(member: Member): OrderHandling {
    const call = async (kind: string, message: OrderMessage, outcome: () => Handling): Promise<Handling> => {
      const id = message.eventId;
      this.calls.push(`${kind} ${id}`);
      this.#begin(member, message);
      await new Promise((resolve) => setTimeout(resolve, this.handlingMs()));
      if (member.dead) return new Promise(() => undefined);
      this.underWay.delete(laneOf(message));
      const handling = outcome();
      return handling.status === 'done' ? { status: 'done', replayed: !this.effect(message) } : handling;
    };
    return {
      handle: (message) =>
        call('handle', message, () => {
          const tries = (this.#tries.get(message.eventId) ?? 0) + 1;
          this.#tries.set(message.eventId, tries);
          return this.plan(message.eventId, tries);
        }),
      giveUp: (message) => call('giveUp', message, () => this.givenUp),
    };
  }

  #begin(member: Member, message: OrderMessage): void {
    const partition = message.eventId.slice(0, message.eventId.lastIndexOf('/'));
    if (this.owners.get(partition) !== member) this.violations.push(`${message.eventId} was begun by a former owner`);
    if (this.underWay.has(laneOf(message))) this.violations.push(`${message.eventId} was begun beside its key's other`);
    this.underWay.add(laneOf(message));
  }

  /** @returns whether it is the first */
  effect(message: OrderMessage): boolean {
    const id = message.eventId;
    if (this.hadEffect.has(id)) return false;
    const lane = `${laneOf(message)} ${id.slice(0, id.lastIndexOf('/'))}`;
    const offset = Number(id.slice(id.lastIndexOf('/') + 1));
    const last = this.#lastEffect.get(lane) ?? -1;
    if (offset < last) this.violations.push(`${id} had its effect after that of ${last}`);
    // One that had its effect and came again when its partition moved may wait behind a later one, and be a replay.
    const before = this.letters
      .openBefore(message, offset)
      .filter((letter) => !this.hadEffect.has(letter.eventId ?? ''));
    if (before.length > 0) this.violations.push(`${id} overtook ${before[0]?.eventId}, which is parked`);
    this.#lastEffect.set(lane, offset);
    this.hadEffect.add(id);
    this.effects.push(id);
    return true;
  }

  /** Whether it has its effect, or is kept. */
  isSettled(message: ConsumedMessage): boolean {
    return this.hadEffect.has(eventIdOf(message)) || this.letters.has(message);
  }

  redriveAll(): void {
    for (const letter of this.letters.takeOpen()) {
      const read = readLogged(letter);
      if (read.ok) this.effect(read.message);
    }
  }
}

export class Member {
  readonly world: World;
  readonly consumer: OrderConsumer;
  readonly partitions = new Map<PartitionName, AssignedPartition>();
  /** Killed: nothing that it began goes on. */
  dead = false;

  constructor(world: World, { earlyEventWaitMs = EARLY_MS }: MemberOptions = {}) {
    this.world = world;
    this.consumer = new OrderConsumer({
      read: readLogged,
      handling: world.handlingOf(this),
      letters: world.letters.of(() => this.dead),
      isReady: () => world.ready,
      earlyEventWaitMs,
      observer: { consumed: (topic, result) => this.dead || world.results.push(`${topic} ${result}`) },
      log: { warn: () => undefined },
    });
  }

  /** Takes a partition and is given its messages from an offset on, as fast as there is room. */
  assign(name: PartitionName, from = 0n, perTake = 20): AssignedPartition {
    const [topic = '', partition = ''] = name.split('/');
    this.world.owners.set(name, this);
    const assigned = this.consumer.assign(topic as ConsumedTopic, Number(partition));
    this.partitions.set(name, assigned);
    void this.#feed(name, assigned, Number(from), perTake);
    return assigned;
  }

  async #feed(name: PartitionName, assigned: AssignedPartition, from: number, perTake: number): Promise<void> {
    for (let next = from; this.partitions.get(name) === assigned && !this.dead; ) {
      const messages = (this.world.log.get(name) ?? []).slice(next, next + perTake);
      await assigned.take(messages);
      next += messages.length;
      if (messages.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** @returns what is to be committed, once nothing of it is under way */
  async revoke(name: PartitionName): Promise<bigint | null> {
    const assigned = this.partitions.get(name) as AssignedPartition;
    this.partitions.delete(name);
    const revoked = { yes: false };
    const wait = assigned.revoke().then(() => {
      revoked.yes = true;
      this.world.owners.delete(name);
    });
    while (!revoked.yes) await vi.advanceTimersByTimeAsync(1);
    await wait;
    return assigned.committable;
  }

  kill(): void {
    this.dead = true;
    for (const [name, assigned] of this.partitions) {
      void assigned.revoke();
      this.world.owners.delete(name);
    }
    this.partitions.clear();
  }
}

export function eventIdOf({ topic, partition, offset }: Pick<ConsumedMessage, 'topic' | 'partition' | 'offset'>) {
  return `${topic}/${partition}/${offset}`;
}

function laneOf({ topic, key }: OrderMessage): string {
  return `${topic} ${key}`;
}

function readLogged(message: ConsumedMessage): ReadResult {
  const text = new TextDecoder().decode(message.value ?? new Uint8Array());
  if (text === RUBBISH) {
    return { ok: false, code: 'NOT_JSON', reason: 'rubbish', hqId: null, orderId: null, eventId: null };
  }
  if (text === UNHEARD_OF) throw new Error(`no reader knows ${text}`);
  const { topic, key } = message;
  const orderId = key ?? 'O-without-key';
  const body = { kind: 'cancelled' as const, hqId: 'HQ001', orderId, reservationId: null, reason: null };
  const eventId = eventIdOf(message);
  const rest = { source: topic, correlationId: orderId, encrypted: isEncrypted(message.headers) };
  return { ok: true, message: { topic, key: orderId, eventId, ...rest, body } };
}
