/**
 * The callers of an HTTP benchmark, in a process of their own. Two cores serve both sides, so a client that costs as
 * much as what it measures would measure itself. This one writes requests that were built before, with a new
 * operation id in place, and reads of each response its status and length: 14 µs of processor time a request, against
 * 20 µs of autocannon 9's programmatic client without new ids (64 connections, the empty route of `reserve-http`, in
 * turn on a busy machine: 22 200 and 20 900 requests/s, medians of five).
 */
import { randomUUID } from 'node:crypto';
import { serveCalls } from '../harness/child-process.ts';
import { LatencyHistogram } from '../harness/latency-histogram.ts';
import { ProcessWatch, type Sample } from '../harness/sample.ts';
import { HttpConnection } from './http-connection.ts';
import { type HttpLoad, OPERATION_ID_PLACE, textOf } from './http-request.ts';

class Callers {
  readonly #load: HttpLoad;
  readonly #histogram = new LatencyHistogram();
  readonly #from: number;
  readonly #until: number;
  readonly #finished = Promise.withResolvers<void>();
  #busy = 0;
  #answered = 0;

  constructor(load: HttpLoad) {
    this.#load = load;
    this.#from = performance.now() + load.shape.warmUpMs;
    this.#until = this.#from + load.shape.measureMs;
  }

  async run(): Promise<{ counts: Uint32Array; answered: number }> {
    const { port, shape } = this.#load;
    const connections = await Promise.all(Array.from({ length: shape.inFlight }, () => HttpConnection.open(port)));
    try {
      for (const connection of connections) this.#begin(connection);
      await this.#finished.promise;
    } finally {
      for (const connection of connections) connection.close();
    }
    return { counts: this.#histogram.counts, answered: this.#answered };
  }

  #begin(connection: HttpConnection): void {
    const request = Buffer.from(textOf(this.#load.request), 'latin1');
    const idAt = request.indexOf(OPERATION_ID_PLACE);
    let sentAt = 0;
    const send = () => {
      // What was sent before has been answered, so its bytes are no longer needed.
      if (idAt >= 0) request.write(randomUUID(), idAt, 'latin1');
      sentAt = performance.now();
      connection.send(request);
    };
    connection.onFailure = (error) => this.#finished.reject(error);
    connection.onResponse = (status, text) => {
      if (status !== this.#load.expectedStatus) {
        this.#finished.reject(new Error(`answered with ${status}: ${text()}`));
        return;
      }
      const now = performance.now();
      if (now >= this.#from && now < this.#until) {
        this.#histogram.record(now - sentAt);
        this.#answered += 1;
      }
      if (now < this.#until) send();
      else this.#rest();
    };
    this.#busy += 1;
    send();
  }

  #rest(): void {
    this.#busy -= 1;
    if (this.#busy === 0) this.#finished.resolve();
  }
}

serveCalls({
  /** What the callers saw; `cores` and memory are theirs, not the server's. */
  async run(load: HttpLoad): Promise<Sample> {
    const watch = new ProcessWatch();
    watch.start();
    const { counts, answered } = await new Callers(load).run();
    const seconds = load.shape.measureMs / 1_000;
    const seen = watch.stop();
    return {
      ...seen,
      pauses: null,
      units: answered,
      seconds,
      perSecond: answered / seconds,
      latencyCounts: counts,
      notes: { "callers' cores": seen.cores },
    };
  },
});
