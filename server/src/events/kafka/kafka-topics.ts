/**
 * Sees to it that every topic is there: at start, and again as long as the process runs, for a broker may come back
 * without what it had. Stock never waits for it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Admin } from '@platformatic/kafka';
import type { TopicNames } from '../topics.ts';
import { connectionOf, hearingErrors, type KafkaAccess } from './kafka-access.ts';
import { reasonOf } from './kafka-errors.ts';

const PARTITIONS_DEFAULT = 6;
const REPLICAS_MAX = 3;
/** Of three replicas two must have a message before it counts as accepted. */
const MIN_INSYNC_REPLICAS = '2';
const CHECK_MS = 5_000;
const RETRY_MS_MIN = 250;
/** How long a start waits for the first attempt. */
const START_MS_MAX = 3_000;
const REQUEST_MS_MAX = 5_000;

export interface KafkaTopicsParts {
  kafka: KafkaAccess;
  names: TopicNames;
  /** Of topics that are created; one that exists keeps its own. */
  partitions?: number;
  log: { info(message: string): void; warn(message: string): void };
}

export class KafkaTopics {
  readonly #parts: KafkaTopicsParts;
  readonly #admin: Admin;
  readonly #ended = new AbortController();
  #running: Promise<void> | null = null;
  #problem: string | null = 'the topics were not looked at yet';
  #checkNow: () => void = () => undefined;

  constructor(parts: KafkaTopicsParts) {
    this.#parts = parts;
    this.#admin = hearingErrors(
      new Admin({
        clientId: 'holdfast-topics',
        ...connectionOf(parts.kafka),
        retries: 0,
        connectTimeout: REQUEST_MS_MAX,
        requestTimeout: REQUEST_MS_MAX,
      }),
    );
  }

  /** Resolves when the topics are there, or Kafka is found away; then they are created as soon as it is back. */
  async start(): Promise<void> {
    const first = Promise.withResolvers<void>();
    this.#running = this.#run(first.resolve);
    await Promise.race([first.promise, sleep(START_MS_MAX, undefined, { ref: false })]);
  }

  /** Why topics may be missing; null when they were there at the last look. */
  get problem(): string | null {
    return this.#problem;
  }

  /** A topic was found missing: looks again at once. */
  check(): void {
    this.#checkNow();
  }

  async close(): Promise<void> {
    this.#ended.abort();
    await this.#admin.close();
    await this.#running;
  }

  async #run(onFirst: () => void): Promise<void> {
    let retryMs = RETRY_MS_MIN;
    while (!this.#ended.signal.aborted) {
      try {
        await this.#createMissing();
        this.#problem = null;
        retryMs = RETRY_MS_MIN;
      } catch (error) {
        this.#failed(reasonOf(error));
        retryMs = Math.min(2 * retryMs, CHECK_MS);
      }
      onFirst();
      await this.#pause(this.#problem === null ? CHECK_MS : retryMs);
    }
  }

  /** Told once for each reason. */
  #failed(reason: string): void {
    const { kafka, log } = this.#parts;
    if (reason !== this.#problem && !this.#ended.signal.aborted) {
      log.warn(`Kafka (${kafka.brokers.join(', ')}) was not asked for its topics, it is asked again: ${reason}`);
    }
    this.#problem = reason;
  }

  async #createMissing(): Promise<void> {
    const { names, partitions = PARTITIONS_DEFAULT, log } = this.#parts;
    const there = new Set(await this.#admin.listTopics());
    const missing = names.all().filter((name) => !there.has(name));
    if (missing.length === 0) return;
    const { brokers } = await this.#admin.metadata({ topics: [], forceUpdate: true });
    const replicas = Math.min(REPLICAS_MAX, brokers.size);
    const configs =
      replicas === REPLICAS_MAX ? { configs: [{ name: 'min.insync.replicas', value: MIN_INSYNC_REPLICAS }] } : {};
    // Other processes do the same: what one of them created first is no error.
    await this.#admin.createTopics({ topics: missing, partitions, replicas, ...configs }).catch(async (error) => {
      const now = new Set(await this.#admin.listTopics());
      if (missing.some((name) => !now.has(name))) throw error;
    });
    log.info(`created the topics ${missing.join(', ')} with ${partitions} partitions and ${replicas} replicas each`);
  }

  async #pause(ms: number): Promise<void> {
    const asked = new Promise<void>((resolve) => {
      this.#checkNow = resolve;
    });
    const pause = sleep(ms, undefined, { signal: this.#ended.signal, ref: false }).catch(() => undefined);
    await Promise.race([asked, pause]);
  }
}
