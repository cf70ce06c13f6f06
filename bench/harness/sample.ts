import { monitorEventLoopDelay } from 'node:perf_hooks';
import { LatencyHistogram } from './latency-histogram.ts';

/** What one round of one contender found. Travels between processes, so it is plain data. */
export interface Sample {
  /** Units of work done in the window: reservations, lines, requests, rows. */
  units: number;
  seconds: number;
  perSecond: number;
  latencyCounts: Uint32Array | null;
  /** Pauses of the event loop that served, in milliseconds; null where none serves. */
  pauses: Pauses | null;
  /** Cores kept busy by the process that served, all its threads together. */
  cores: number;
  residentMiB: number;
  /** Named readings of this contender alone. */
  notes: Record<string, number>;
}

export interface Pauses {
  p999: number;
  max: number;
}

const RESOLUTION_MS = 1;
const NANOSECONDS_PER_MS = 1e6;
const BYTES_PER_MIB = 1024 * 1024;

/** Watches this process over a window: pauses of its event loop, its processor time, its memory. */
export class ProcessWatch {
  readonly #delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #cpu = process.cpuUsage();
  #startedAt = performance.now();

  start(): void {
    this.#delays.enable();
    this.#delays.reset();
    this.#cpu = process.cpuUsage();
    this.#startedAt = performance.now();
  }

  stop(): Pick<Sample, 'seconds' | 'pauses' | 'cores' | 'residentMiB'> {
    const seconds = (performance.now() - this.#startedAt) / 1_000;
    const { user, system } = process.cpuUsage(this.#cpu);
    this.#delays.disable();
    // The histogram holds the time between two ticks: what exceeds the tick's own interval is the pause.
    const pause = (nanoseconds: number) => Math.max(0, nanoseconds / NANOSECONDS_PER_MS - RESOLUTION_MS);
    const seen = this.#delays.count > 0;
    return {
      seconds,
      pauses: seen ? { p999: pause(this.#delays.percentile(99.9)), max: pause(this.#delays.max) } : { p999: 0, max: 0 },
      cores: (user + system) / 1e6 / seconds,
      residentMiB: process.memoryUsage.rss() / BYTES_PER_MIB,
    };
  }
}

export interface Latency {
  p50: number;
  p99: number;
  p999: number;
}

/** All rounds of one contender, summed up. */
export interface Summary {
  name: string;
  unit: string;
  perSecond: { median: number; min: number; max: number; rounds: number[] };
  /** Milliseconds over all rounds together. */
  latencyMs: Latency | null;
  pausesMs: Pauses | null;
  cores: number;
  residentMiB: number;
  notes: Record<string, number>;
}

export function summarise(name: string, unit: string, samples: readonly Sample[]): Summary {
  const rates = samples.map((sample) => sample.perSecond);
  const pauses = samples.map((sample) => sample.pauses).filter((found) => found !== null);
  return {
    name,
    unit,
    perSecond: { median: median(rates), min: Math.min(...rates), max: Math.max(...rates), rounds: rates },
    latencyMs: latencyOf(samples),
    pausesMs:
      pauses.length === 0
        ? null
        : { p999: median(pauses.map(({ p999 }) => p999)), max: Math.max(...pauses.map(({ max }) => max)) },
    cores: median(samples.map((sample) => sample.cores)),
    residentMiB: Math.max(...samples.map((sample) => sample.residentMiB)),
    notes: mediansOfNotes(samples),
  };
}

function latencyOf(samples: readonly Sample[]): Latency | null {
  const all = new LatencyHistogram();
  let found = false;
  for (const { latencyCounts } of samples) {
    if (latencyCounts === null) continue;
    all.add(latencyCounts);
    found = true;
  }
  return found ? { p50: all.percentile(0.5), p99: all.percentile(0.99), p999: all.percentile(0.999) } : null;
}

function mediansOfNotes(samples: readonly Sample[]): Record<string, number> {
  const names = new Set(samples.flatMap((sample) => Object.keys(sample.notes)));
  return Object.fromEntries(
    [...names].map((name) => [name, median(samples.flatMap((sample) => sample.notes[name] ?? []))]),
  );
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
