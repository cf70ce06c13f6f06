/**
 * `npm run torture:cluster -- --kills 50`: a real cluster on real servers, hurt in mid-load again and again.
 * With `--planted` it is to find bugs that are planted in copies of the sources.
 */
import { parseArgs } from 'node:util';
import { ensurePrograms } from '../../../../infra/programs/programs.ts';
import { say } from '../../../../infra/progress.ts';
import { ROOT, sweepFolders } from '../../support/servers/test-server.ts';
import { faults } from './faults.ts';
import { clusterBugs, firstFinding } from './planted-bugs.ts';
import { canSkewClocks } from './redis-seat.ts';
import { tortureCluster } from './torture-cluster.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '50' },
    restores: { type: 'string', default: '3' },
    sellers: { type: 'string', default: '4' },
    only: { type: 'string', default: '' },
    planted: { type: 'boolean', default: false },
  },
});

sweepFolders();
await ensurePrograms(['redis', 'mariadb', 'kafka'], ROOT, say);
if (!canSkewClocks()) console.log('left out: clocks that are off (they need gcc)');
process.exit((values.planted ? await findPlanted() : await hurt()) ? 0 : 1);

async function hurt(): Promise<boolean> {
  const startedAt = Date.now();
  const only = faults.map(({ name }) => name).filter((name) => name.includes(values.only));
  const { kills, acknowledged, repeats, lines, findings } = await tortureCluster({
    kills: Number(values.kills),
    restores: Number(values.restores),
    sellers: Number(values.sellers),
    only,
    onProgress: say,
  });
  for (const line of [...lines, ...findings]) console.log(line);
  console.log(
    `${kills} kills in ${Math.round((Date.now() - startedAt) / 1_000)} s: ${acknowledged} operations acknowledged, ${repeats} requests repeated; ` +
      (findings.length === 0 ? '0 lost, 0 double, 0 oversold, verify ok' : `${findings.length} violations`),
  );
  return findings.length === 0;
}

/** Each planted bug is to be found; says by what. */
async function findPlanted(): Promise<boolean> {
  let missed = 0;
  for (const bug of clusterBugs.filter(({ name }) => name.includes(values.only))) {
    const found = await firstFinding(bug);
    missed += found === null ? 1 : 0;
    console.log(`${found === null ? 'NOT CAUGHT' : 'caught    '}  ${bug.name}${found === null ? '' : `: ${found}`}`);
  }
  return missed === 0;
}
