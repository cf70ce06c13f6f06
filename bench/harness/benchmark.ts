import type { Profiling } from './profile.ts';
import type { Sample, Summary } from './sample.ts';

/** What `npm run bench` was asked for. */
export interface BenchOptions {
  rounds: number;
  quick: boolean;
  profile: boolean;
  /** `scale-history` stops here. */
  entriesMax: number;
}

/** What a benchmark works with. */
export interface BenchContext {
  options: BenchOptions;
  /** How long one window of measuring lasts, and the load before it. */
  measureMs: number;
  warmUpMs: number;
  /** A new, empty folder below `.infra/bench/`; removed at the end. */
  newFolder(name: string): string;
  removeFolder(folder: string): void;
  /** Where profiles of this contender go; null without `--profile`. */
  profiling(contender: string): Profiling | null;
  tell(text: string): void;
}

/** One side of a comparison. Each round starts afresh, so that rounds do not grow upon each other. */
export interface Contender {
  name: string;
  unit: string;
  measure(round: number): Promise<Sample>;
}

/** A promise of `design/figures.md`, held against what was found. */
export interface Figure {
  name: string;
  reached: number;
  required: number;
  /** Whether more is better. */
  compare: 'at least' | 'at most';
  /** `×` for ratios, else the unit. */
  unit: string;
  pass: boolean;
}

export interface BenchResult {
  summaries: Summary[];
  figures: Figure[];
  /** What a reader should know: how it was measured, what else was seen. */
  remarks: string[];
}

export interface Benchmark {
  name: string;
  title: string;
  run(context: BenchContext): Promise<BenchResult>;
  /** An SVG picture of the result, kept beside it. */
  chart?(summaries: readonly Summary[]): string;
}

export function atLeast(name: string, reached: number, required: number, unit = '×'): Figure {
  return { name, reached, required, compare: 'at least', unit, pass: reached >= required };
}

export function atMost(name: string, reached: number, required: number, unit = '×'): Figure {
  return { name, reached, required, compare: 'at most', unit, pass: reached <= required };
}

export function ratio(subject: Summary, reference: Summary): number {
  return subject.perSecond.median / reference.perSecond.median;
}
