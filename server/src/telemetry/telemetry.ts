import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Every metric that Holdfast keeps, by its name in `docs/reference/metrics.md`. */
export class Telemetry {
  readonly registry = new Registry();
  readonly commands = new Counter({
    name: 'holdfast_commands_total',
    help: 'Commands by type and outcome',
    labelNames: ['type', 'outcome'],
    registers: [this.registry],
  });
  readonly decisionSeconds = this.#histogram('holdfast_decision_seconds', 'Time to decide a command');
  readonly recordSeconds = this.#histogram('holdfast_record_seconds', 'Time of one commit of the ledger');
  readonly answerSeconds = this.#histogram('holdfast_answer_seconds', 'Time from a command to its recorded answer');
  readonly batchEntries = new Histogram({
    name: 'holdfast_record_batch_entries',
    help: 'Entries recorded by one commit',
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
    registers: [this.registry],
  });
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

  constructor() {
    collectDefaultMetrics({ register: this.registry, prefix: 'holdfast_' });
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

  #histogram(name: string, help: string): Histogram {
    return new Histogram({ name, help, buckets: SECONDS, registers: [this.registry] });
  }
}
