import type { SoakLook } from './soak-subject.ts';

const MS_PER_HOUR = 3_600_000;
/** A look counts once what is remembered has this share of what it is at the end. */
const FULL = 0.98;
/** Fewer looks tell a slope of nothing. */
const LOOKS_MIN = 12;

/** The looks from the one on at which the window of operations was full. */
export function steadyFrom(looks: readonly SoakLook[]): readonly SoakLook[] {
  const largest = Math.max(...looks.map(({ counts }) => counts.rememberedOperations));
  const first = looks.findIndex(({ counts }) => counts.rememberedOperations >= largest * FULL);
  return looks.slice(first);
}

/** Least squares over the memory in use, as a share of its mean; null when there is too little to tell. */
export function slopePerHour(looks: readonly SoakLook[]): number | null {
  if (looks.length < LOOKS_MIN) return null;
  const meanAt = mean(looks.map(({ atMs }) => atMs));
  const meanUsed = mean(looks.map(({ usedMiB }) => usedMiB));
  let covariance = 0;
  let variance = 0;
  for (const { atMs, usedMiB } of looks) {
    covariance += (atMs - meanAt) * (usedMiB - meanUsed);
    variance += (atMs - meanAt) ** 2;
  }
  return ((covariance / variance) * MS_PER_HOUR) / meanUsed;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
