/**
 * Gives messages to their handling: a lane per topic, HQ and key keeps their order, through every retry; lanes go on beside
 * each other, so that one commit of the ledger has many. A message that pauses holds up its lane and nothing else.
 */
import { isEncrypted } from '../../events/encryption/event-keys.ts';
import type { ConsumedTopic } from '../../events/topics.ts';
import type { OrderHandling } from '../handling/handling.ts';
import type { DeadLetters } from '../letters/dead-letters.ts';
import { marked, toldReason } from '../messages/foreign-text.ts';
import type { ConsumedMessage, ReadMessage, ReadResult } from '../messages/message.ts';
import { LetterBox } from './letter-box.ts';
import { type ConsumedResult, type CourseParts, MessageCourse } from './message-course.ts';
import type { AssignedPartition, MessageSink } from './message-source.ts';
import { type HeldMessage, PartitionWindow } from './partition-window.ts';

/** Messages of all partitions that are being handled; those that pause are not among them. */
const IN_FLIGHT_MAX = 1_024;
/** Letters may be redriven by another process, and then their key is free. */
const LOOK_MS = 2_000;
const LOOK_RETRY_MS = 250;

export interface ConsumptionObserver {
  /** A message has its effect, or is parked; `delayMs` since the broker took it. */
  consumed(topic: ConsumedTopic, result: ConsumedResult, delayMs: number): void;
}

export interface OrderConsumerParts {
  read: ReadMessage;
  handling: OrderHandling;
  letters: DeadLetters;
  /** Whether commands are decided and recorded now. */
  isReady: () => boolean;
  /** `EARLY_EVENT_WAIT_MS` */
  earlyEventWaitMs: number;
  observer: ConsumptionObserver;
  log: { warn(message: string): void };
}

/** Of one topic, HQ and key; of one message alone where that could not be read. */
interface Lane {
  /** Null: nothing waits behind it. */
  readonly name: string | null;
  readonly waiting: Held[];
  state: 'idle' | 'ready' | 'running' | 'pausing';
  timer: NodeJS.Timeout | null;
}

type Held = HeldMessage<{ lane: Lane; course: MessageCourse }>;
type Window = Held['window'];

export class OrderConsumer implements MessageSink {
  readonly #parts: OrderConsumerParts;
  readonly #box: LetterBox;
  readonly #courseParts: CourseParts;
  readonly #lanes = new Map<string, Lane>();
  readonly #windows = new Set<Window>();
  #ready: Lane[] = [];
  #readyFrom = 0;
  #inFlight = 0;
  #lookTimer: NodeJS.Timeout | null = null;

  constructor(parts: OrderConsumerParts) {
    this.#parts = parts;
    const { letters, log, handling, isReady, earlyEventWaitMs } = parts;
    this.#box = new LetterBox({ letters, log });
    this.#courseParts = { handling, isReady, earlyEventWaitMs, box: this.#box };
  }

  /** Messages that are being handled now. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** What a person reads when nothing can be parked; null: all is well. */
  degraded(): string | null {
    const { problem } = this.#box;
    return problem === null ? null : `the dead letters do not answer, events that must be parked wait: ${problem}`;
  }

  assign(topic: ConsumedTopic, partition: number): AssignedPartition {
    const window: Window = new PartitionWindow({
      topic,
      partition,
      workOf: (message) => this.#workOf(message),
      onTaken: (held) => this.#taken(held),
      onRevoked: () => this.#revoked(window),
      onAtRest: () => this.#atRest(window),
    });
    this.#windows.add(window);
    this.#lookTimer ??= setInterval(() => void this.#box.look(), LOOK_MS);
    void this.#open(window);
    return window;
  }

  /** Begins nothing more; resolves once nothing is under way. */
  async stop(): Promise<void> {
    await Promise.all([...this.#windows].map((window) => window.revoke()));
  }

  async #open(window: Window): Promise<void> {
    while (!window.isRevoked && !(await this.#box.look())) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_RETRY_MS));
    }
    if (window.isRevoked) return;
    window.open();
    this.#goOn(window);
  }

  #atRest(window: Window): void {
    this.#windows.delete(window);
    if (this.#windows.size > 0 || this.#lookTimer === null) return;
    clearInterval(this.#lookTimer);
    this.#lookTimer = null;
  }

  #revoked(window: Window): void {
    for (const held of window.unfinished()) {
      const { lane } = held.work;
      if (lane.state !== 'pausing' || lane.waiting[0] !== held) continue;
      clearTimeout(lane.timer as NodeJS.Timeout);
      lane.state = 'idle';
    }
    this.#goOn(window);
  }

  /** The lanes of a partition that was opened or revoked. */
  #goOn(window: Window): void {
    for (const held of window.unfinished()) {
      const { lane } = held.work;
      if (lane.state === 'idle') this.#advance(lane);
    }
    this.#fillSlots();
  }

  #workOf(message: ConsumedMessage): Held['work'] {
    const read = this.#read(message);
    const lane = this.#laneFor(read.ok ? `${message.topic} ${read.message.body.hqId} ${read.message.key}` : null);
    return { lane, course: new MessageCourse(this.#courseParts, message, read) };
  }

  #taken(held: Held): void {
    const { lane } = held.work;
    lane.waiting.push(held);
    if (lane.state !== 'idle') return;
    this.#advance(lane);
    this.#fillSlots();
  }

  /** A message that the reader has no answer for must not come again for ever. */
  #read(message: ConsumedMessage): ReadResult {
    try {
      return this.#parts.read(message);
    } catch (error) {
      const why = `it could not be read: ${marked((error as Error).message)}`;
      const reason = toldReason(why, isEncrypted(message.headers));
      return { ok: false, code: 'INVALID', reason, hqId: null, orderId: null, eventId: null };
    }
  }

  #laneFor(name: string | null): Lane {
    const there = name === null ? undefined : this.#lanes.get(name);
    if (there !== undefined) return there;
    const lane: Lane = { name, waiting: [], state: 'idle', timer: null };
    if (name !== null) this.#lanes.set(name, lane);
    return lane;
  }

  /** What is next in an idle lane. */
  #advance(lane: Lane): void {
    while (lane.waiting[0]?.window.isRevoked) lane.waiting.shift();
    const [next] = lane.waiting;
    if (next === undefined) {
      if (lane.name !== null && this.#lanes.get(lane.name) === lane) this.#lanes.delete(lane.name);
    } else if (next.window.isOpen) {
      lane.state = 'ready';
      this.#ready.push(lane);
    }
  }

  #fillSlots(): void {
    while (this.#inFlight < IN_FLIGHT_MAX && this.#readyFrom < this.#ready.length) {
      const lane = this.#ready[this.#readyFrom] as Lane;
      this.#readyFrom += 1;
      this.#inFlight += 1;
      void this.#run(lane);
    }
    if (this.#readyFrom < this.#ready.length && this.#readyFrom < IN_FLIGHT_MAX) return;
    this.#ready = this.#ready.slice(this.#readyFrom);
    this.#readyFrom = 0;
  }

  async #run(lane: Lane): Promise<void> {
    lane.state = 'running';
    const pauseMs = await this.#stepAsFarAsItGoes(lane);
    this.#inFlight -= 1;
    lane.state = 'idle';
    if (pauseMs > 0 && lane.waiting[0]?.window.isRevoked === false) {
      lane.state = 'pausing';
      lane.timer = setTimeout(() => {
        lane.state = 'idle';
        this.#advance(lane);
        this.#fillSlots();
      }, pauseMs);
    } else {
      this.#advance(lane);
    }
    this.#fillSlots();
  }

  /** The first message of a lane, until it is finished, has to pause or is another member's. Answers how long it pauses. */
  async #stepAsFarAsItGoes(lane: Lane): Promise<number> {
    const [next] = lane.waiting;
    if (next === undefined) return 0;
    const { window, message, work } = next;
    while (!window.isRevoked) {
      window.begun();
      const step = await work.course.step();
      if (step.kind === 'finished') {
        lane.waiting.shift();
        window.finished(next);
        this.#parts.observer.consumed(message.topic, step.result, Date.now() - message.at);
      }
      window.ended();
      if (step.kind === 'finished') return 0;
      if (step.afterMs > 0) return step.afterMs;
    }
    return 0;
  }
}
