/** A short run of what `npm run torture:cluster` does at length, and proofs that it can fail. */
import { expect, it } from 'vitest';
import { describeWith } from '../../support/servers/servers.ts';
import { withClusterBug } from './planted-bugs.ts';
import { tortureCluster } from './torture-cluster.ts';

const quiet = { sellers: 3, onProgress: () => undefined };

describeWith(['redis', 'mariadb', 'kafka'], 'a cluster that is hurt in mid-load', () => {
  it('loses nothing that it acknowledged, does nothing twice, sells nothing twice, and serves on by itself', async () => {
    const { findings, acknowledged, kills } = await tortureCluster({ ...quiet, kills: 4, restores: 1 });
    expect(findings).toEqual([]);
    expect(kills).toBeGreaterThanOrEqual(4);
    expect(acknowledged).toBeGreaterThan(100);
  }, 180_000);
});
