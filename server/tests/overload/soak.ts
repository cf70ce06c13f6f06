/**
 * `npm run soak -- --minutes 30`: an embedded installation at 70 % of its peak for as long as asked, with a load that
 * neither grows nor shrinks what it holds. Passes when the memory in use rises by less than 1 % an hour.
 *
 * What is remembered for a while fills first (operation ids and closed holds: at least 2 minutes, then up to an hour
 * or 1 000 000 of them), so the slope counts from the moment at which those windows have stopped growing.
 */
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MeasuredProcess } from '../../../bench/harness/child-process.ts';
import { showRate } from '../../../bench/harness/format.ts';
import { slopePerHour, steadyFrom } from './memory-slope.ts';
import type { SoakLook, SoakTotals } from './soak-subject.ts';

const SUBJECT = new URL('./soak-subject.ts', import.meta.url);
const MINUTES = 30;
const SHARE_OF_PEAK = 0.7;
const SLOPE_MAX = 0.01;
const LOOKS_PER_LINE = 6;
const MS_PER_MINUTE = 60_000;
/** Of an entry in the ledger, with all that is derived from it. */
const BYTES_PER_ENTRY = 2_500;
const SHARE_OF_DISK = 0.8;

interface Asked {
  minutes: number;
  /** Entries a second; null: 70 % of the peak. */
  rate: number | null;
}

function readArguments(args: string[]): Asked {
  const { values } = parseArgs({ args, options: { minutes: { type: 'string' }, rate: { type: 'string' } } });
  const number = (name: string, text: string | undefined): number | null => {
    if (text === undefined) return null;
    const value = Number(text);
    if (!(value > 0)) throw new Error(`--${name} takes a number above zero`);
    return value;
  };
  return { minutes: number('minutes', values.minutes) ?? MINUTES, rate: number('rate', values.rate) };
}

/** Every entry stays for ever, so the disk bounds how long a rate can be kept up. */
function rateThatFits(folder: string, wanted: number, minutes: number): number {
  const { bavail, bsize } = statfsSync(folder);
  const fits = (bavail * bsize * SHARE_OF_DISK) / (BYTES_PER_ENTRY * minutes * 60);
  if (fits < wanted) console.log(`the disk has room for ${showRate(fits)} entries/s over this time: the load is that`);
  return Math.floor(Math.min(wanted, fits));
}

async function soak({ minutes, rate }: Asked, folder: string): Promise<boolean> {
  const subject = MeasuredProcess.start(SUBJECT);
  try {
    const peak = await subject.call<number>('open', folder);
    const perSecond = rateThatFits(folder, rate ?? peak * SHARE_OF_PEAK, minutes);
    console.log(`peak ${showRate(peak)} entries/s; ${showRate(perSecond)} entries/s for ${minutes} minutes`);
    const running = subject.call<SoakTotals>('run', perSecond, minutes * MS_PER_MINUTE);
    const looks = await watch(subject, running);
    return judge(looks, await running);
  } finally {
    await subject.stop();
  }
}

async function watch(subject: MeasuredProcess, running: Promise<unknown>): Promise<SoakLook[]> {
  const looks: SoakLook[] = [];
  let over = false;
  const ended = () => {
    over = true;
  };
  running.then(ended, ended);
  while (!over) {
    const look = await subject.call<SoakLook | null>('nextLook');
    if (look === null) break;
    looks.push(look);
    if (looks.length % LOOKS_PER_LINE === 0) console.log(lineOf(look));
  }
  return looks;
}

function lineOf(look: SoakLook): string {
  const { atMs, perSecond, p99Ms, usedMiB, residentMiB, counts, lag } = look;
  return [
    `${(atMs / MS_PER_MINUTE).toFixed(1).padStart(6)} min`,
    `${showRate(perSecond)}/s`,
    `p99 ${p99Ms.toFixed(1)} ms`,
    `in use ${Math.round(usedMiB)} MiB`,
    `resident ${Math.round(residentMiB)} MiB`,
    `${showRate(counts.rememberedOperations)} operations remembered`,
    `${showRate(counts.openHolds)} open holds`,
    `projections ${showRate(lag)} behind`,
  ].join('  ');
}

function judge(looks: readonly SoakLook[], { answered, refused }: SoakTotals): boolean {
  const last = looks.at(-1);
  if (last === undefined) throw new Error('the soak was too short to look at anything');
  const steady = steadyFrom(looks);
  const slope = slopePerHour(steady);
  const from = ((steady[0] ?? last).atMs / MS_PER_MINUTE).toFixed(1);
  console.log(
    `\n${showRate(answered)} entries, ${showRate(refused)} commands refused; windows: ${showRate(last.counts.rememberedOperations)} operations, ${showRate(last.counts.openHolds)} open holds, ${showRate(last.counts.levels)} levels`,
  );
  if (slope === null) {
    console.log('the windows were still filling: a longer soak tells the slope (at least 5 minutes)');
    return true;
  }
  const passed = slope < SLOPE_MAX;
  console.log(
    `memory in use from minute ${from} on: ${(slope * 100).toFixed(2)} % an hour, ${passed ? 'below' : 'NOT below'} ${SLOPE_MAX * 100} %`,
  );
  return passed;
}

const scratchParent = join(import.meta.dirname, '../../../.infra/soak');
mkdirSync(scratchParent, { recursive: true });
const scratch = mkdtempSync(join(scratchParent, 'run-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true, maxRetries: 3 }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
process.exitCode = (await soak(readArguments(process.argv.slice(2)), scratch)) ? 0 : 1;
