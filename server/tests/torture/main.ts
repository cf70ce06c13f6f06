/** `npm run torture -- --kills 100`: the real server, killed in mid-load again and again. */
import { parseArgs } from 'node:util';
import { torture } from './torture.ts';

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '100' }, tills: { type: 'string', default: '48' } },
});

const startedAt = Date.now();
const { kills, acknowledged, repeats, reservations, findings } = await torture({
  kills: Number(values.kills),
  tills: Number(values.tills),
  onProgress: (text) => console.log(text),
});
for (const finding of findings) console.log(finding);
console.log(
  `${kills} kills in ${Math.round((Date.now() - startedAt) / 1_000)} s: ${acknowledged} operations acknowledged, ${repeats} repeated, ${reservations} reservations; ` +
    (findings.length === 0 ? '0 lost, 0 double, levels add up, verify ok' : `${findings.length} findings`),
);
process.exit(findings.length === 0 ? 0 : 1);
