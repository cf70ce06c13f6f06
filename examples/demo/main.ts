/**
 * A day at a chain of toy shops, in a minute:
 *
 *   npm run demo -- [--seconds 60] [--rate 2000] [--seed 1]
 *
 * Imports the sample chain into a fresh data folder, lets simulated tills of all stores sell against it, then verifies
 * the ledger and prints the sums. Exits with 1 when anything does not add up.
 */
import { rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import type { RunningApplication } from '../../server/src/application.ts';
import { openApplication } from '../../server/src/compose.ts';
import { DataFolder } from '../../server/src/data-folder/data-folder.ts';
import { type Chain, HQ_ID, importChain, readChain } from './chain.ts';
import { chanceOf } from './chance.ts';
import { LiveLine, sums, unitsExpected, verdict } from './report.ts';
import { ShopFloor } from './shop-floor.ts';
import { Tally } from './tally.ts';

const SECONDS_MAX = 86_400;
const RATE_MAX = 20_000;
const DATA = join(import.meta.dirname, '../../.infra/demo');

interface Options {
  seconds: number;
  rate: number;
  seed: number;
}

const USAGE = 'usage: npm run demo -- [--seconds 60] [--rate 2000] [--seed 1]';

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '60' },
      rate: { type: 'string', default: '2000' },
      seed: { type: 'string', default: '1' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  return {
    seconds: wholeNumber('--seconds', values.seconds, SECONDS_MAX),
    rate: wholeNumber('--rate', values.rate, RATE_MAX),
    seed: wholeNumber('--seed', values.seed, 2 ** 31),
  };
}

function wholeNumber(name: string, text: string, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new Error(`${name} must be a whole number from 1 to ${max}`);
}

/** Empties the folder of the last demo, unless one is still running in it. */
async function freshFolder(): Promise<string> {
  const folder = await DataFolder.acquire(DATA, 0);
  folder.release();
  rmSync(DATA, { recursive: true, force: true });
  return DATA;
}

async function unitsLeft({ engine }: RunningApplication, chain: Chain): Promise<number> {
  let units = 0;
  for (const productId of chain.products.keys()) units += (await engine.totals(HQ_ID, productId))?.onHand ?? 0;
  return units;
}

async function sell(application: RunningApplication, options: Options): Promise<boolean> {
  console.log('The sample chain is imported:');
  await importChain(application, console.log);
  const chain = await readChain(application);
  console.log(`\n${chain.shelves.size} stores sell for ${options.seconds} s, ${options.rate} customers/s:`);
  const tally = new Tally();
  const floor = new ShopFloor({ application, chain, tally, chance: chanceOf(options.seed), rate: options.rate });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => floor.stop());
  const line = new LiveLine(tally, () => floor.countExpired());
  await floor.open(options.seconds);
  line.end();
  const left = await unitsLeft(application, chain);
  console.log(`\n${sums(chain, tally, left)}\n`);
  const report = await application.verify({});
  console.log(verdict(report));
  return report.ok && left === unitsExpected(chain, tally) && tally.failed === 0;
}

async function main(): Promise<void> {
  const options = readOptions();
  const dataFolder = await freshFolder();
  const application = await openApplication({
    dataFolder,
    log: pino({ level: 'warn' }, pino.destination(2)),
    onFatal: (reason) => {
      console.error(reason);
      process.exit(1);
    },
    // No events of orders come here.
    earlyEventWaitMs: 0,
  });
  const sound = await sell(application, options).finally(() => application.stop());
  const shown = relative(process.cwd(), dataFolder);
  console.log(`The data are in ${shown}; look around with HOLDFAST_DATA=${shown} npm start`);
  process.exitCode = sound ? 0 : 1;
}

main().catch((error: unknown) => {
  console.error(`demo: ${(error as Error).message}`);
  process.exitCode = (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') ? 2 : 1;
});
