/** The installations that this run tests, each fresh. */
import { afterAll, beforeAll, describe } from 'vitest';
import { freshDatabase } from '../support/mariadb-database.ts';
import { type MariadbTestServer, startMariadb } from '../support/servers/mariadb.ts';
import { describeWith } from '../support/servers/servers.ts';
import { Installation } from './installation.ts';
import { MariadbInstallation } from './mariadb-installation.ts';

/** Runs a suite once for each adapter of the projections. */
export function describeInstallations(name: string, suite: (start: () => Promise<Installation>) => void): void {
  describe(`${name}, sqlite`, () => suite(() => Installation.start()));
  describeMariadb(`${name}, mariadb`, (server) => {
    suite(async () => {
      const installation = new MariadbInstallation(await freshDatabase(server()));
      await installation.start();
      return installation;
    });
  });
}

/** A suite with a MariaDB server of its own. */
export function describeMariadb(name: string, suite: (server: () => MariadbTestServer) => void): void {
  describeWith(['mariadb'], name, () => {
    let server: MariadbTestServer;
    beforeAll(async () => {
      server = await startMariadb();
    });
    afterAll(() => server.stop());
    suite(() => server);
  });
}
