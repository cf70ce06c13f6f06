import { CatalogUnavailable } from '../../../catalog/catalog.ts';
import type { LedgerThreads } from '../../../ledger/sqlite/sqlite-ledger.ts';
import type { LetterStore } from '../stored-dead-letters.ts';

/** Dead letters in the ledger's file: changed by the thread that records, read by the one that reads. */
export function sqliteLetterStore({ writer, reader }: LedgerThreads): LetterStore {
  return {
    async change<T>(name: string, ...args: unknown[]): Promise<T> {
      try {
        return await writer.call<T>('changeLetters', name, ...args);
      } catch (error) {
        const { name: kind, message } = error as Error;
        throw kind === 'CatalogUnavailable' ? new CatalogUnavailable(message) : error;
      }
    },
    read: (name, ...args) => reader.call('readLetters', name, ...args),
  };
}
