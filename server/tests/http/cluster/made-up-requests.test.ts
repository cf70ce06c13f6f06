/** The made-up requests of the embedded server, fewer of them, on a cluster of two nodes that take turns. */
import { afterAll, beforeAll } from 'vitest';
import { type MariadbTestServer, startMariadb } from '../../support/servers/mariadb.ts';
import { describeWith } from '../../support/servers/servers.ts';
import { testClusters } from '../support/test-installation.ts';

process.env.HOLDFAST_FUZZ_RUNS ??= '6';

let mariadb: MariadbTestServer | null = null;
beforeAll(async () => {
  mariadb = await startMariadb();
  testClusters(mariadb);
});
afterAll(() => mariadb?.stop());

describeWith(['redis', 'mariadb'], 'made-up requests, on a cluster', async () => {
  await import('../fuzz.test.ts');
});
