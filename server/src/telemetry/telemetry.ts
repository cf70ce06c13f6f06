import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { LockObserver } from '../locking/locks.ts';
import type { ConsumptionObserver } from '../ordering/consuming/consumer.ts';
import { type Entry, isOpen } from '../stock/entry.ts';
import { FastCounter, FastHistogram } from './figures.ts';

const SECONDS = [0.000_01, 0.000_1, 0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const DELAY_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800];
/** A service that a gauge asks may be away; whoever scrapes does not wait for it. */
const READ_MS_MAX = 2_000;
const ENTRIES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/** Every metric that Holdfast keeps of its own work, by its name in `docs/reference/metrics.md`. */
export class Telemetry {
  readonly registry = new Registry();
  readonly #commands = this.#counter('holdfast_commands_total', 'Recorded commands by type and outcome', [
    'type',
    'outcome',
  ]);
  readonly #closed = this.#counter(
    'holdfast_reservations_closed_total',
    'Reservations closed, by how: confirmed to all closed is the conversion',
    ['how'],
  );
  readonly decisionSeconds = this.#histogram('holdfast_decision_seconds', 'Time to decide a command');
  readonly answerSeconds = this.#histogram('holdfast_answer_seconds', 'Time from a command to its recorded answer');
  readonly recordSeconds = this.#histogram('holdfast_record_seconds', 'Time of one commit of the ledger');
  readonly batchEntries = this.#histogram('holdfast_record_batch_entries', 'Entries recorded by one commit', ENTRIES);
  readonly expiryLatenessSeconds = this.#histogram(
    'holdfast_expiry_lateness_seconds',
    'How long after its end a hold was expired',
  );
  readonly engineHalts = new Counter({
    name: 'holdfast_engine_halts_total',
    help: 'Times that the engine was emptied and filled again from the ledger',
    registers: [this.registry],
  });
  readonly deniedRequests = new Counter({
    name: 'holdfast_denied_requests_total',
    help: 'Requests refused for want of a valid token or of a right, by status',
    labelNames: ['status'],
    registers: [this.registry],
  });

  readonly inboxFailures = new Counter({
    name: 'holdfast_inbox_failures_total',
    help: 'Events that were handed in over HTTP and could not be stored',
    registers: [this.registry],
  });

  readonly #lockWaitSeconds = this.#histogram('holdfast_lock_wait_seconds', 'Time to take locks, or to give up');
  readonly #lockContentions = this.#counter(
    'holdfast_lock_contentions_total',
    'Locks that were held by somebody else when they were asked for, by level',
    ['kind'],
  );
  readonly #locksLost = this.#counter('holdfast_locks_lost_total', 'Locks that ended before they were given back', [
    'kind',
  ]);
  readonly #lockFailures = new Counter({
    name: 'holdfast_lock_failures_total',
    help: 'Times that the servers which keep the locks could not be asked',
    registers: [this.registry],
  });
  readonly #deadlocksAvoided = new Counter({
    name: 'holdfast_lock_deadlocks_avoided_total',
    help: 'Contended acquisitions of several locks in an order in which two could have waited for each other',
    registers: [this.registry],
  });
  readonly locks: LockObserver = {
    waited: (ms) => this.#lockWaitSeconds.observe(ms / 1_000),
    contended: (kind) => this.#lockContentions.add(kind),
    lost: (kind) => this.#locksLost.add(kind),
    deadlockAvoided: () => this.#deadlocksAvoided.inc(),
    failed: () => this.#lockFailures.inc(),
  };

  readonly #consumedMessages = this.#counter(
    'holdfast_consumed_messages_total',
    'Messages of other services that have their effect or are parked, by what became of them',
    ['topic', 'result'],
  );
  readonly #consumedDelaySeconds = this.#histogram(
    'holdfast_consumed_delay_seconds',
    'Time from the broker taking a message to its effect in the ledger',
    DELAY_SECONDS,
  );
  readonly consumption: ConsumptionObserver = {
    consumed: (topic, result, delayMs) => {
      this.#consumedMessages.add(`${topic} ${result}`);
      // One that comes again had its effect before.
      if (result === 'done') this.#consumedDelaySeconds.observe(Math.max(0, delayMs) / 1_000);
    },
  };

  constructor() {
    collectDefaultMetrics({ register: this.registry, prefix: 'holdfast_' });
  }

  /** Counts what was recorded. */
  recorded(entries: readonly Entry[]): void {
    for (const { command, outcome, holds } of entries) {
      this.#commands.add(`${command.type} ${outcome.status}`);
      for (const hold of holds) if (!isOpen(hold)) this.#closed.add(hold.status);
    }
  }

  /** A gauge that is read when it is scraped. */
  gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }

  /**
   * A gauge by one label, whose values are asked for when it is scraped. Where they cannot be read, or not
   * in time, it has none, for whoever scrapes must get all others.
   */
  gaugeBy(name: string, help: string, label: string, read: () => Promise<Iterable<readonly [string, number]>>): void {
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [this.registry],
      async collect() {
        const values = await inTime(read()).catch(() => []);
        this.reset();
        for (const [of, value] of values) this.set({ [label]: of }, value);
      },
    });
  }

  #histogram(name: string, help: string, bounds: readonly number[] = SECONDS): FastHistogram {
    return new FastHistogram(this.registry, name, help, bounds);
  }

  #counter(name: string, help: string, labels: readonly string[]): FastCounter {
    return new FastCounter(this.registry, name, help, labels);
  }
}

async function inTime<T>(read: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`not read within ${READ_MS_MAX} ms`)), READ_MS_MAX);
  try {
    return await Promise.race([read, late]);
  } finally {
    clearTimeout(timer);
  }
}
