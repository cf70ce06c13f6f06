import type { ThreadClient } from '../../threads/thread-client.ts';
import type { RelayCursors } from '../event-publisher.ts';

/** The relay's cursors in the ledger's database, one row per partition. */
export class SqliteRelayCursors implements RelayCursors {
  readonly #writer: ThreadClient;

  constructor(writer: ThreadClient) {
    this.#writer = writer;
  }

  async load(): Promise<Map<number, number>> {
    return new Map(await this.#writer.call<[number, number][]>('loadRelayCursors'));
  }

  async save(cursors: ReadonlyMap<number, number>): Promise<void> {
    await this.#writer.call('saveRelayCursors', [...cursors]);
  }
}
