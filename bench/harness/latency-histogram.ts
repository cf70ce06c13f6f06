/**
 * Counts latencies in buckets of at most 1 % width, from a microsecond to half an hour: a record costs a few
 * nanoseconds, so that measuring does not become what is measured, and histograms of several rounds can be added.
 */
const SUB_BUCKETS = 128;
const SUB_BUCKET_BITS = 7;
const MICROSECONDS_MAX = 2 ** 31 - 1;
const BUCKETS = (32 - SUB_BUCKET_BITS) * SUB_BUCKETS;

export class LatencyHistogram {
  readonly counts: Uint32Array;

  constructor(counts = new Uint32Array(BUCKETS)) {
    this.counts = counts;
  }

  record(ms: number): void {
    const bucket = bucketOf(Math.min(MICROSECONDS_MAX, Math.max(0, Math.round(ms * 1_000))));
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
  }

  add(counts: Uint32Array): void {
    for (let bucket = 0; bucket < counts.length; bucket += 1) {
      this.counts[bucket] = (this.counts[bucket] as number) + (counts[bucket] as number);
    }
  }

  /** The latency in milliseconds that this share of all (0 … 1) did not pass; 0 when nothing was recorded. */
  percentile(share: number): number {
    const total = this.counts.reduce((sum, count) => sum + count, 0);
    let left = Math.max(1, Math.ceil(total * share));
    for (let bucket = 0; bucket < this.counts.length; bucket += 1) {
      left -= this.counts[bucket] as number;
      if (left <= 0) return microsecondsOf(bucket) / 1_000;
    }
    return 0;
  }
}

function bucketOf(microseconds: number): number {
  if (microseconds < SUB_BUCKETS) return microseconds;
  const shift = 31 - Math.clz32(microseconds) - SUB_BUCKET_BITS;
  return (shift + 1) * SUB_BUCKETS + ((microseconds >> shift) - SUB_BUCKETS);
}

/** The upper end of a bucket. */
function microsecondsOf(bucket: number): number {
  if (bucket < SUB_BUCKETS) return bucket;
  const shift = Math.floor(bucket / SUB_BUCKETS) - 1;
  return ((bucket % SUB_BUCKETS) + SUB_BUCKETS + 1) * 2 ** shift - 1;
}
