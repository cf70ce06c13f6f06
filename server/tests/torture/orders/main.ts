/**
 * `npm run torture:orders -- --events 100000 --kills 50`: events of orders, repeated, shuffled and mixed with rubbish.
 * With `--apart` consumers, relays and the rest are processes of their own, and are killed apart.
 * With `--planted` it is to find bugs that are planted in copies of the sources.
 */
import { parseArgs } from 'node:util';
import { ensurePrograms } from '../../../../infra/programs/programs.ts';
import { say } from '../../../../infra/progress.ts';
import { ROOT, sweepFolders } from '../../support/servers/test-server.ts';
import { firstFinding, orderBugs } from './planted-bugs.ts';
import { tortureOrders } from './torture-orders.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '100000' },
    kills: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    'early-wait-ms': { type: 'string', default: '5000' },
    apart: { type: 'boolean', default: false },
    planted: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
  },
});

sweepFolders();
await ensurePrograms(['redis', 'mariadb', 'kafka'], ROOT, say);
process.exit((values.planted ? await findPlanted() : await hurt()) ? 0 : 1);

async function hurt(): Promise<boolean> {
  const { killed, kills, events, entries, letters, seconds, findings } = await tortureOrders({
    events: Number(values.events),
    kills: Number(values.kills),
    seed: Number(values.seed),
    earlyWaitMs: Number(values['early-wait-ms']),
    layout: values.apart ? 'apart' : 'whole',
    onProgress: say,
  });
  for (const finding of findings) console.log(finding);
  for (const [what, times] of Object.entries(killed)) console.log(`killed ${times} times: ${what}`);
  console.log(
    `${events} events, ${kills} kills, ${seconds.toFixed(0)} s; ${entries} entries; dead letters: ${letters.corrected} corrected, ${letters.redriven} redriven, ${letters.dropped} dropped; ` +
      (findings.length === 0 ? 'every effect once, no inversion, verify ok' : `${findings.length} findings`),
  );
  return findings.length === 0;
}

/** Each planted bug is to be found; says by what. */
async function findPlanted(): Promise<boolean> {
  let missed = 0;
  for (const bug of orderBugs.filter(({ name }) => name.includes(values.only))) {
    const found = await firstFinding(bug);
    missed += found === null ? 1 : 0;
    console.log(`${found === null ? 'NOT CAUGHT' : 'caught    '}  ${bug.name}${found === null ? '' : `: ${found}`}`);
  }
  return missed === 0;
}
