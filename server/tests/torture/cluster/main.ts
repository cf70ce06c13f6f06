/** `npm run torture:cluster -- --kills 50`: a real cluster on real servers, hurt in mid-load again and again. */
import { parseArgs } from 'node:util';
import { ensurePrograms } from '../../../../infra/programs/programs.ts';
import { say } from '../../../../infra/progress.ts';
import { ROOT, sweepFolders } from '../../support/servers/test-server.ts';
import { canSkewClocks } from './redis-seat.ts';
import { tortureCluster } from './torture-cluster.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '50' },
    restores: { type: 'string', default: '3' },
    sellers: { type: 'string', default: '4' },
    only: { type: 'string', default: '' },
  },
});

sweepFolders();
await ensurePrograms(['redis', 'mariadb', 'kafka'], ROOT, say);
if (!canSkewClocks()) console.log('left out: clocks that are off (they need gcc)');
const startedAt = Date.now();
const { kills, acknowledged, repeats, lines, findings } = await tortureCluster({
  kills: Number(values.kills),
  restores: Number(values.restores),
  sellers: Number(values.sellers),
  only: values.only,
  onProgress: (text) => console.log(text),
});
for (const line of lines) console.log(line);
for (const finding of findings) console.log(finding);
console.log(
  `${kills} kills in ${Math.round((Date.now() - startedAt) / 1_000)} s: ${acknowledged} operations acknowledged, ${repeats} requests repeated; ` +
    (findings.length === 0 ? '0 lost, 0 double, 0 oversold, verify ok' : `${findings.length} violations`),
);
process.exit(findings.length === 0 ? 0 : 1);
