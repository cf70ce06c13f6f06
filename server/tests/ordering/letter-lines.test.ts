/** The end of a line in MariaDB, where two transactions may be under way at once: here one of them stands still. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from 'mariadb';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type MariadbConnections, openMariadb } from '../../src/ledger/mariadb/open-mariadb.ts';
import type { ClaimedLetter } from '../../src/ordering/letters/dead-letters.ts';
import { mariadbLetterStore } from '../../src/ordering/letters/mariadb/mariadb-letter-store.ts';
import { StoredDeadLetters } from '../../src/ordering/letters/stored-dead-letters.ts';
import { freshDatabase } from '../support/mariadb-database.ts';
import { type MariadbTestServer, startMariadb } from '../support/servers/mariadb.ts';
import { describeWith } from '../support/servers/servers.ts';
import { letter } from './letter-adapters.ts';

/** Longer than two transactions that nothing holds up; a lock is waited for up to 3 s. */
const STANDSTILL_MS = 700;

describeWith(['mariadb'], 'the end of a line', () => {
  let server: MariadbTestServer;
  let connections: MariadbConnections;
  beforeAll(async () => {
    server = await startMariadb();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    connections = await openMariadb(await freshDatabase(server));
  });
  afterEach(() => Promise.all([connections.reader.close(), connections.writer.close()]));

  const lettersOver = (over: MariadbConnections) =>
    new StoredDeadLetters({ store: mariadbLetterStore(over), now: Date.now });

  /** Letters whose transaction stands still, its locks held, once it has read what is open in its line. */
  function standingStill(): { letters: StoredDeadLetters; reached: Promise<void>; goOn(): void } {
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const slowed = (connection: Connection): Connection =>
      new Proxy(connection, {
        get(target, name) {
          const member = Reflect.get(target, name, target);
          if (typeof member !== 'function') return member;
          if (name !== 'query') return member.bind(target);
          return async (sql: string, values: unknown) => {
            const answer = await target.query(sql, values);
            if (sql.includes("status in ('parked', 'waiting')")) {
              reached.resolve();
              await released.promise;
            }
            return answer;
          };
        },
      });
    const writer = Object.create(connections.writer) as MariadbConnections['writer'];
    writer.use = (work, timeoutMs) => connections.writer.use((connection) => work(slowed(connection)), timeoutMs);
    return { letters: lettersOver({ ...connections, writer }), reached: reached.promise, goOn: released.resolve };
  }

  it('is not missed by a message that saw it open a moment before', async () => {
    const letters = lettersOver(connections);
    await letters.park(letter(1));
    const [parked] = (await letters.list({ hqId: null, cursor: null, limit: 1 })).items;
    const claimed = (await letters.claim(parked?.id ?? '', 'anna')) as ClaimedLetter;
    const slow = standingStill();
    const bringing = slow.letters.queueBehind(letter(2));
    await slow.reached;
    const ending = claimed
      .done()
      .then(() => letters.claimNext({ topic: 'order.completed', key: 'ORD1', hqId: 'HQ001' }));
    await Promise.race([ending, delay(STANDSTILL_MS)]);
    slow.goOn();
    const [queued, next] = await Promise.all([bringing, ending]);
    expect(queued).toBe(true);
    expect(next?.letter.message.offset, 'what was queued follows').toBe(2n);
  });
});
