/**
 * Members that take partitions from each other, die and fail in every way, by chance: each message has its effect once,
 * in the order of its key, or is parked; nothing is committed before; nobody begins what is another's.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Handling } from '../../src/ordering/handling/handling.ts';
import { Random } from '../simulation/random.ts';
import { DONE, Member, type PartitionName, World } from './consumer-world.ts';

vi.setConfig({ testTimeout: 60_000 });

const TOPICS = ['order.placed', 'order.completed'] as const;
const PARTITIONS = 3;
const EARLY_EVENT_WAIT_MS = 3_000;

interface Course {
  seed: number;
  messages: number;
  keys: number;
  turns: number;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'] });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const SMALL = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  messages: fc.integer({ min: 1, max: 120 }),
  keys: fc.integer({ min: 1, max: 12 }),
  turns: fc.integer({ min: 1, max: 25 }),
});

it('small courses of every kind', async () => {
  await fc.assert(fc.asyncProperty(SMALL, follow), { numRuns: 60 });
});

it('5 000 messages of 50 keys', async () => {
  await follow({ seed: 7, messages: 5_000, keys: 50, turns: 150 });
});

async function follow(course: Course): Promise<void> {
  vi.clearAllTimers();
  const chaos = new Chaos(course);
  for (let turn = 0; turn < course.turns; turn += 1) await chaos.turn();
  await chaos.calmDown();
  chaos.judge();
}

class Chaos {
  readonly #world = new World();
  readonly #random: Random;
  readonly #members: Member[] = [];
  readonly #committed = new Map<PartitionName, bigint>();
  #calm = false;

  constructor({ seed, messages, keys }: Course) {
    this.#random = new Random(seed);
    vi.spyOn(Math, 'random').mockImplementation(() => this.#random.next());
    for (let index = 0; index < messages; index += 1) {
      const key = this.#random.between(0, keys - 1);
      const topic = this.#random.of(TOPICS);
      this.#world.append(`${topic}/${key % PARTITIONS}`, `k${key}`, { rubbish: this.#random.chance(0.02) });
    }
    this.#world.plan = () => this.#outcome();
    this.#world.handlingMs = () => this.#random.between(0, 19);
    this.#members.push(this.#newMember(), this.#newMember());
    for (const name of this.#world.log.keys()) this.#assign(name);
  }

  async turn(): Promise<void> {
    const { letters, log } = this.#world;
    letters.away = this.#random.chance(0.1);
    letters.answerMs = this.#random.between(1, 30);
    this.#world.ready = this.#random.chance(0.8);
    await vi.advanceTimersByTimeAsync(this.#random.between(0, 249));
    this.#commit();
    const name = this.#random.of([...log.keys()]);
    const what = this.#random.weighted({ move: 6, kill: 3, redrive: 1, nothing: 5 });
    if (what === 'move') await this.#move(name);
    if (what === 'kill') this.#kill();
    if (what === 'redrive') this.#world.redriveAll();
  }

  /** All goes well from now on, until every partition is committed to its end and every letter redriven. */
  async calmDown(): Promise<void> {
    const { letters, log } = this.#world;
    this.#calm = true;
    letters.away = false;
    this.#world.ready = true;
    const isAtEnd = ([name, messages]: [string, unknown[]]) => this.#committed.get(name) === BigInt(messages.length);
    for (let waitedMs = 0; ![...log].every(isAtEnd); waitedMs += 500) {
      if (waitedMs > 3_600_000) throw new Error('it does not come to its end');
      await vi.advanceTimersByTimeAsync(500);
      this.#commit();
    }
    this.#world.redriveAll();
    for (const member of this.#members) member.kill();
    await vi.advanceTimersByTimeAsync(10_000);
  }

  judge(): void {
    const { violations, log, hadEffect, effects, letters, underWay } = this.#world;
    expect(violations).toEqual([]);
    expect(underWay.size).toBe(0);
    const logged = [...log.values()].flat();
    const unreadable = letters.kept.filter(({ code }) => code === 'NOT_JSON');
    expect(new Set(unreadable.map(({ message }) => message)).size).toBe(unreadable.length);
    expect(hadEffect.size).toBe(effects.length);
    expect(hadEffect.size + unreadable.length).toBe(logged.length);
    expect(letters.open()).toEqual([]);
  }

  #outcome(): Handling {
    const dice = this.#calm ? 100 : this.#random.between(0, 99);
    if (dice < 12) return { status: 'retry', reason: 'no answer', away: dice < 3 };
    if (dice < 20) return { status: 'early' };
    if (dice < 22) return { status: 'park', code: 'OTHER_LINES', reason: 'others' };
    return DONE;
  }

  #newMember(): Member {
    return new Member(this.#world, { earlyEventWaitMs: EARLY_EVENT_WAIT_MS });
  }

  #assign(name: PartitionName): void {
    const member = this.#random.of(this.#members);
    member.assign(name, this.#committed.get(name) ?? 0n, this.#random.between(1, 50));
  }

  async #move(name: PartitionName): Promise<void> {
    const owner = this.#world.owners.get(name) as Member;
    this.#committable(name, await owner.revoke(name));
    this.#assign(name);
  }

  #kill(): void {
    const victim = this.#random.of(this.#members);
    const orphans = [...victim.partitions.keys()];
    victim.kill();
    // Its last calls never come back; what they held is another's now.
    for (const lane of [...this.#world.underWay]) {
      const [topic, key = ''] = lane.split(' ');
      if (orphans.includes(`${topic}/${Number(key.slice(1)) % PARTITIONS}`)) this.#world.underWay.delete(lane);
    }
    this.#members.splice(this.#members.indexOf(victim), 1, this.#newMember());
    for (const name of orphans) this.#assign(name);
  }

  #commit(): void {
    for (const { partitions } of this.#members) {
      for (const [name, { committable }] of partitions) this.#committable(name, committable);
    }
  }

  #committable(name: PartitionName, offset: bigint | null): void {
    if (offset === null) return;
    const from = this.#committed.get(name) ?? 0n;
    if (offset < from) throw new Error(`the offset of ${name} went back from ${from} to ${offset}`);
    const settled = (this.#world.log.get(name) ?? []).slice(Number(from), Number(offset));
    const lost = settled.find((message) => !this.#world.isSettled(message));
    if (lost !== undefined) throw new Error(`${name}/${lost.offset} is committed, but neither handled nor kept`);
    this.#committed.set(name, offset);
  }
}
