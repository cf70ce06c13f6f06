/** The catalogs that this run tests, each empty, with an embedded pipeline of their own. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { MariadbCatalog } from '../../src/catalog/mariadb/mariadb-catalog.ts';
import { openMariadb } from '../../src/ledger/mariadb/open-mariadb.ts';
import { describeDatabases } from '../support/describe-databases.ts';
import { freshDatabase } from '../support/mariadb-database.ts';
import type { MariadbTestServer } from '../support/servers/mariadb.ts';
import { Pipeline, temporaryFolder } from './pipeline.ts';

export interface CatalogFixture {
  /** Opens the same installation each time. */
  open(): Promise<Pipeline>;
  /** A statement past the catalog, as somebody with the database's password would do it. */
  sql(statement: string): Promise<void>;
  remove(): Promise<void>;
}

/** Runs a suite once for each adapter. */
export function describeCatalogs(name: string, suite: (fresh: () => Promise<CatalogFixture>) => void): void {
  describeDatabases(name, { sqlite: sqliteFixture, mariadb: mariadbFixture }, suite);
}

async function sqliteFixture(): Promise<CatalogFixture> {
  const folder = temporaryFolder();
  return {
    open: () => Pipeline.open(folder),
    async sql(statement) {
      const database = new DatabaseSync(join(folder, 'ledger.db'));
      try {
        database.exec(statement);
      } finally {
        database.close();
      }
    },
    async remove() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function mariadbFixture(server: MariadbTestServer): Promise<CatalogFixture> {
  const folder = temporaryFolder();
  const connections = await openMariadb(await freshDatabase(server));
  return {
    open: () => Pipeline.open(folder, () => new MariadbCatalog(connections)),
    async sql(statement) {
      await connections.reader.use((connection) => connection.query(statement));
    },
    async remove() {
      await Promise.all([connections.reader.close(), connections.writer.close()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
