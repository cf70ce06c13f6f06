import type { Connection } from 'mariadb';
import { CatalogUnavailable } from '../../../catalog/catalog.ts';
import { transactOrRefuse } from '../../../ledger/mariadb/mariadb-transaction.ts';
import type { MariadbConnections } from '../../../ledger/mariadb/open-mariadb.ts';
import { LetterStatements, type LetterWork } from '../letter-work.ts';
import type { LetterStore } from '../stored-dead-letters.ts';

const statements = new LetterStatements({
  now: 'cast(unix_timestamp(now(3)) * 1000 as signed)',
  // A row that is there is locked all the same.
  unlessThere: (column) => `on duplicate key update ${column} = ${column}`,
});

/** Dead letters in the ledger's database; what was acknowledged is seen by every process. */
export function mariadbLetterStore({ reader, writer }: MariadbConnections): LetterStore {
  return {
    change(name, ...args) {
      const refused = (reason: string) => new CatalogUnavailable(`dead letters cannot be written now: ${reason}`);
      return transactOrRefuse(writer, (connection) => carryOut(connection, workOf(name, args)), refused);
    },
    read: (name, ...args) => reader.look((connection) => carryOut(connection, workOf(name, args))),
  };
}

// biome-ignore lint/suspicious/noExplicitAny: what it answers is known by the name, as the port says.
function workOf(name: keyof LetterStatements, args: unknown[]): LetterWork<any> {
  return (statements[name] as (...args: unknown[]) => LetterWork<unknown>).apply(statements, args);
}

async function carryOut<T>(connection: Connection, work: LetterWork<T>): Promise<T> {
  let step = work.next();
  while (step.done !== true) {
    const { sql, values, reads } = step.value;
    const answer = await connection.query<unknown>(
      sql,
      values.map((value) => (value instanceof Uint8Array ? Buffer.from(value) : value)),
    );
    step = work.next(
      reads
        ? { rows: answer as unknown[], changed: 0 }
        : { rows: [], changed: (answer as { affectedRows: number }).affectedRows },
    );
  }
  return step.value;
}
