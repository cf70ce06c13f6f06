/** What the ledger's threads do for dead letters: changes in the writing one, reads in the other. */
import type { DatabaseSync } from 'node:sqlite';
import { isDefinite } from '../../../ledger/sqlite/sqlite-errors.ts';
import { LetterStatements, type LetterWork } from '../letter-work.ts';

const statements = new LetterStatements({
  now: "cast(unixepoch('subsec') * 1000 as integer)",
  unlessThere: () => 'on conflict do nothing',
});

export type LetterCall = [name: keyof LetterStatements, ...args: unknown[]];

export function letterWrites(database: () => DatabaseSync) {
  return {
    changeLetters: (...call: LetterCall) => inTransaction(database(), () => carryOut(database(), workOf(call))),
  };
}

export function letterReads(database: DatabaseSync) {
  return { readLetters: (...call: LetterCall) => carryOut(database, workOf(call)) };
}

function workOf([name, ...args]: LetterCall): LetterWork<unknown> {
  return (statements[name] as (...args: unknown[]) => LetterWork<unknown>).apply(statements, args);
}

function carryOut<T>(database: DatabaseSync, work: LetterWork<T>): T {
  let step = work.next();
  while (step.done !== true) {
    const { sql, values, reads } = step.value;
    const statement = database.prepare(sql);
    step = work.next(
      reads
        ? { rows: statement.all(...values), changed: 0 }
        : { rows: [], changed: Number(statement.run(...values).changes) },
    );
  }
  return step.value;
}

/** A definite failure says so by its name, for an error crosses the thread without its class. */
function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  try {
    database.exec('begin immediate');
    const result = work();
    database.exec('commit');
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('rollback');
    if (!isDefinite(error)) throw error;
    const refused = new Error(`dead letters cannot be written now: ${(error as Error).message}`);
    refused.name = 'CatalogUnavailable';
    throw refused;
  }
}
