import { LatencyHistogram } from '../harness/latency-histogram.ts';
import { ProcessWatch, type Sample } from '../harness/sample.ts';

export interface RateShape {
  /** Pieces of work begun each second, whether those before are answered or not. */
  perSecond: number;
  measureMs: number;
  /** Before the window, at the same rate: queues find their length. */
  rampMs?: number;
}

/** `done` counts as goodput, `refused` as an honest refusal. Anything else is an error, and throws. */
export type RatedWork = () => Promise<'done' | 'refused'>;

export interface RatedSample extends Sample {
  offered: number;
  refused: number;
  refusalCounts: Uint32Array;
}

const TICK_MS = 1;
/** Begun in one go: what is answered at once is answered between two of them, as between two reads of a socket. */
const BEGUN_AT_ONCE = 256;

/** Begins work at a rate; a latency counts from the moment at which the work was due, late or not. */
export async function openLoop(shape: RateShape, work: RatedWork): Promise<RatedSample> {
  return new OpenLoop(shape, work).run();
}

class OpenLoop {
  readonly #shape: RateShape;
  readonly #work: RatedWork;
  readonly #answers = new LatencyHistogram();
  readonly #refusals = new LatencyHistogram();
  readonly #underWay = new Set<Promise<void>>();
  readonly #startedAt = performance.now();
  readonly #from: number;
  readonly #until: number;
  #failure: unknown = null;
  #begun = 0;
  #offered = 0;
  #done = 0;
  #refused = 0;

  constructor(shape: RateShape, work: RatedWork) {
    this.#shape = shape;
    this.#work = work;
    this.#from = this.#startedAt + (shape.rampMs ?? 0);
    this.#until = this.#from + shape.measureMs;
  }

  async run(): Promise<RatedSample> {
    const watch = new ProcessWatch();
    const start = setTimeout(() => watch.start(), this.#shape.rampMs ?? 0);
    while (this.#failure === null && performance.now() < this.#until) {
      if (this.#beginDue()) await new Promise((resolve) => setImmediate(resolve));
      else await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    clearTimeout(start);
    const seen = watch.stop();
    await Promise.all(this.#underWay);
    if (this.#failure !== null) throw this.#failure;
    const seconds = this.#shape.measureMs / 1_000;
    return {
      ...seen,
      units: this.#done,
      seconds,
      perSecond: this.#done / seconds,
      latencyCounts: this.#answers.counts,
      notes: {},
      offered: this.#offered,
      refused: this.#refused,
      refusalCounts: this.#refusals.counts,
    };
  }

  /** Begins what is due, up to a bound; true when more is due. */
  #beginDue(): boolean {
    const { perSecond } = this.#shape;
    const due = Math.floor(((performance.now() - this.#startedAt) * perSecond) / 1_000);
    const through = Math.min(due, this.#begun + BEGUN_AT_ONCE);
    for (; this.#begun < through; this.#begun += 1) this.#begin(this.#startedAt + (this.#begun * 1_000) / perSecond);
    return this.#begun < due;
  }

  #begin(dueAt: number): void {
    const begunAt = performance.now();
    const counts = begunAt >= this.#from;
    if (counts) this.#offered += 1;
    const settled: Promise<void> = this.#work()
      .then((answer) => this.#answered(answer, { dueAt, begunAt, counts }))
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => this.#underWay.delete(settled));
    this.#underWay.add(settled);
  }

  #answered(
    answer: 'done' | 'refused',
    { dueAt, begunAt, counts }: { dueAt: number; begunAt: number; counts: boolean },
  ): void {
    const now = performance.now();
    if (answer === 'done') {
      if (now >= this.#from && now < this.#until) this.#done += 1;
      if (counts) this.#answers.record(now - dueAt);
    } else if (counts) {
      this.#refused += 1;
      this.#refusals.record(now - begunAt);
    }
  }
}
