import { afterAll, beforeAll, describe } from 'vitest';
import { type MariadbTestServer, startMariadb } from './servers/mariadb.ts';
import { describeWith } from './servers/servers.ts';

interface Fixtures<Fixture> {
  sqlite: () => Promise<Fixture>;
  /** In a database of its own on this server. */
  mariadb: (server: MariadbTestServer) => Promise<Fixture>;
}

/** Runs a suite once for each database that keeps a ledger and the tables beside it. */
export function describeDatabases<Fixture>(
  name: string,
  { sqlite, mariadb }: Fixtures<Fixture>,
  suite: (fresh: () => Promise<Fixture>) => void,
): void {
  describe(`${name}, sqlite`, () => suite(sqlite));
  describeWith(['mariadb'], `${name}, mariadb`, () => {
    let server: MariadbTestServer;
    beforeAll(async () => {
      server = await startMariadb();
    });
    afterAll(() => server.stop());
    suite(() => mariadb(server));
  });
}
