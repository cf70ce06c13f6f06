/** `--profile`: where a contender's processor time went, by its own time in each function, thread by thread. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SHOWN = 18;
const INTERVAL_MICROSECONDS = 500;

interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
}

export class Profiling {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  flags(): string[] {
    return ['--cpu-prof', `--cpu-prof-interval=${INTERVAL_MICROSECONDS}`, `--cpu-prof-dir=${this.folder}`];
  }

  /** One paragraph per thread, the busiest first. */
  report(): string {
    const threads = readdirSync(this.folder)
      .filter((file) => file.endsWith('.cpuprofile'))
      .map((file) => summaryOf(JSON.parse(readFileSync(join(this.folder, file), 'utf8')) as CpuProfile));
    return threads
      .sort((one, other) => other.busySeconds - one.busySeconds)
      .map(({ text }) => text)
      .join('\n\n');
  }
}

function summaryOf({ nodes, samples, timeDeltas }: CpuProfile): { busySeconds: number; text: string } {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const own = new Map<string, number>();
  let total = 0;
  for (const [index, sample] of samples.entries()) {
    const frame = frames.get(sample);
    if (frame === undefined) continue;
    const name = `${frame.functionName || '(anonymous)'} ${shortUrl(frame.url)}:${frame.lineNumber + 1}`;
    own.set(name, (own.get(name) ?? 0) + (timeDeltas[index] ?? 0));
    total += timeDeltas[index] ?? 0;
  }
  const idle = own.get('(idle) :0') ?? 0;
  const busySeconds = (total - idle) / 1e6;
  const top = [...own].sort((one, other) => other[1] - one[1]).slice(0, SHOWN);
  const lines = top.map(([name, time]) => `${((100 * time) / total).toFixed(1).padStart(6)} %  ${name}`);
  return {
    busySeconds,
    text: `${busySeconds.toFixed(1)} s busy of ${(total / 1e6).toFixed(1)} s\n${lines.join('\n')}`,
  };
}

function shortUrl(url: string): string {
  const path = url.startsWith('file:') ? fileURLToPath(url) : url;
  return path.split('/').slice(-2).join('/');
}
