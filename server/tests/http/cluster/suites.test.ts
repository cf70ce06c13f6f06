/**
 * The suites of the embedded server, unchanged, on a cluster of two nodes that take turns: whatever one of them answers,
 * the other one knows.
 */
import { afterAll, beforeAll } from 'vitest';
import { type MariadbTestServer, startMariadb } from '../../support/servers/mariadb.ts';
import { describeWith } from '../../support/servers/servers.ts';
import { testClusters } from '../support/test-installation.ts';

const SUITES = ['idempotency', 'reservations', 'administration', 'events'];

let mariadb: MariadbTestServer | null = null;
beforeAll(async () => {
  mariadb = await startMariadb();
  testClusters(mariadb);
});
afterAll(() => mariadb?.stop());

for (const suite of SUITES)
  describeWith(['redis', 'mariadb'], `${suite}, on a cluster`, async () => {
    await import(`../${suite}.test.ts`);
  });
