/**
 * Callers who do not wait for each other, in a process of their own: a request is sent when it is due, whether those
 * before it are answered or not. Each takes a connection that is free; while all of them wait for an answer what is due
 * waits here, and counts as offered only once it is sent.
 */
import { randomUUID } from 'node:crypto';
import { serveCalls } from '../harness/child-process.ts';
import { LatencyHistogram } from '../harness/latency-histogram.ts';
import { ProcessWatch } from '../harness/sample.ts';
import { HttpConnection } from './http-connection.ts';
import { type HttpRequest, OPERATION_ID_PLACE, textOf } from './http-request.ts';
import type { RatedSample, RateShape } from './open-loop.ts';

const OPENED_AT_ONCE = 256;
const TICK_MS = 1;
/** Sent in one go, before answers are read. */
const SENT_AT_ONCE = 128;
const REFUSED = 503;
const ANSWERS_MS_MAX = 20_000;

export interface HttpRatedLoad extends RateShape {
  port: number;
  request: HttpRequest;
  expectedStatus: number;
  connections: number;
}

interface Free {
  /** Sends a request that was due at this instant. */
  send: (dueAt: number) => void;
}

class OpenCallers {
  readonly #load: HttpRatedLoad;
  readonly #connections: HttpConnection[] = [];
  readonly #free: Free[] = [];
  readonly #answers = new LatencyHistogram();
  readonly #refusals = new LatencyHistogram();
  #failure: Error | null = null;
  #startedAt = 0;
  #from = 0;
  #until = 0;
  #sent = 0;
  #offered = 0;
  #done = 0;
  #refused = 0;

  constructor(load: HttpRatedLoad) {
    this.#load = load;
  }

  async run(): Promise<RatedSample> {
    const watch = new ProcessWatch();
    this.#startedAt = performance.now();
    this.#from = this.#startedAt + (this.#load.rampMs ?? 0);
    this.#until = this.#from + this.#load.measureMs;
    const start = setTimeout(() => watch.start(), this.#load.rampMs ?? 0);
    while (this.#failure === null && performance.now() < this.#until) {
      if (this.#sendDue()) await new Promise((resolve) => setImmediate(resolve));
      else await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    clearTimeout(start);
    const seen = watch.stop();
    const giveUpAt = performance.now() + ANSWERS_MS_MAX;
    while (this.#free.length < this.#connections.length && this.#failure === null && performance.now() < giveUpAt)
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    for (const connection of this.#connections) connection.close();
    if (this.#failure !== null) throw this.#failure;
    if (this.#free.length < this.#connections.length) throw new Error('some requests were not answered at all');
    const seconds = this.#load.measureMs / 1_000;
    return {
      ...seen,
      pauses: null,
      units: this.#done,
      seconds,
      perSecond: this.#done / seconds,
      latencyCounts: this.#answers.counts,
      notes: { "callers' cores": seen.cores },
      offered: this.#offered,
      refused: this.#refused,
      refusalCounts: this.#refusals.counts,
    };
  }

  async connect(): Promise<void> {
    const { connections, port } = this.#load;
    while (this.#connections.length < connections) {
      const count = Math.min(OPENED_AT_ONCE, connections - this.#connections.length);
      const opened = await Promise.all(Array.from({ length: count }, () => HttpConnection.open(port)));
      for (const connection of opened) this.#begin(connection);
    }
  }

  #begin(connection: HttpConnection): void {
    const request = Buffer.from(textOf(this.#load.request), 'latin1');
    const idAt = request.indexOf(OPERATION_ID_PLACE);
    let dueAt = 0;
    let sentAt = 0;
    const free: Free = {
      send: (due) => {
        if (idAt >= 0) request.write(randomUUID(), idAt, 'latin1');
        dueAt = due;
        sentAt = performance.now();
        if (sentAt >= this.#from) this.#offered += 1;
        connection.send(request);
      },
    };
    connection.onFailure = (error) => {
      this.#failure ??= error;
    };
    connection.onResponse = (status, text) => {
      this.#free.push(free);
      this.#answered(status, { dueAt, sentAt, text });
    };
    this.#connections.push(connection);
    this.#free.push(free);
  }

  #answered(status: number, { dueAt, sentAt, text }: { dueAt: number; sentAt: number; text: () => string }): void {
    const now = performance.now();
    const counts = now >= this.#from && now < this.#until;
    if (status === this.#load.expectedStatus) {
      if (!counts) return;
      this.#done += 1;
      this.#answers.record(now - dueAt);
    } else if (status === REFUSED) {
      if (!counts) return;
      this.#refused += 1;
      this.#refusals.record(now - sentAt);
    } else this.#failure ??= new Error(`answered with ${status}: ${text()}`);
  }

  /** Sends what is due, up to a bound; true when more could be sent at once. */
  #sendDue(): boolean {
    const { perSecond } = this.#load;
    const due = Math.floor(((performance.now() - this.#startedAt) * perSecond) / 1_000);
    for (let count = 0; count < SENT_AT_ONCE && this.#sent < due; count += 1) {
      const free = this.#free.pop();
      if (free === undefined) return false;
      free.send(this.#startedAt + (this.#sent * 1_000) / perSecond);
      this.#sent += 1;
    }
    return this.#sent < due;
  }
}

let callers: OpenCallers | null = null;

serveCalls({
  async connect(load: HttpRatedLoad): Promise<void> {
    callers = new OpenCallers(load);
    await callers.connect();
  },
  run(): Promise<RatedSample> {
    if (callers === null) throw new Error('the callers are not connected');
    return callers.run();
  },
});
