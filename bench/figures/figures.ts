import type { Benchmark } from '../harness/benchmark.ts';
import { reserveEmbedded } from './reserve-embedded.ts';

/** In the order of the page. */
export const benchmarks: readonly Benchmark[] = [reserveEmbedded];
