/** A short run of what `npm run torture:cluster` does at length, and the proof that it can fail. */
import { expect, it } from 'vitest';
import { describeWith } from '../../support/servers/servers.ts';
import { clusterBugs, firstFinding } from './planted-bugs.ts';
import { tortureCluster } from './torture-cluster.ts';

const FAULTS = [
  'a recording node is killed',
  'MariaDB is killed',
  'a counter is changed by hand',
  'a lagging replica takes over, its clock 3 s ahead',
];

describeWith(['redis', 'mariadb', 'kafka'], 'a cluster that is hurt in mid-load', () => {
  it('loses nothing that it acknowledged, does nothing twice, oversells nothing, and serves on by itself', async () => {
    const options = { sellers: 3, kills: 3, restores: 1, onProgress: () => undefined };
    const { findings, acknowledged, kills } = await tortureCluster({ ...options, only: FAULTS });
    expect(findings).toEqual([]);
    expect(kills).toBeGreaterThanOrEqual(3);
    expect(acknowledged).toBeGreaterThan(100);
  }, 180_000);

  it.each(clusterBugs.slice(0, 1))(
    'is found out when $name',
    async (bug) => {
      expect(await firstFinding(bug)).not.toBeNull();
    },
    120_000,
  );
});
