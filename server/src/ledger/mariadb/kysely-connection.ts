import { Kysely, MysqlDialect, type MysqlPoolConnection, type MysqlQueryResult } from 'kysely';
import type { Connection } from 'mariadb';

/** Kysely over one open connection, which belongs to whoever opened it. */
export function kyselyOver(connection: Connection): Kysely<unknown> {
  const member: MysqlPoolConnection = {
    config: {},
    threadId: connection.threadId ?? 0,
    connect: (callback) => callback?.(null),
    destroy: () => undefined,
    release: () => undefined,
    query(sql, parameters, callback) {
      connection.query<MysqlQueryResult>(sql, parameters).then(
        (result) => callback?.(null, result),
        (error) => callback?.(error, []),
      );
      return { stream: refuseStream };
    },
  };
  return new Kysely({
    dialect: new MysqlDialect({
      pool: {
        getConnection: (callback) => callback(null, member),
        end: (callback) => callback(null),
      },
    }),
  });
}

function refuseStream(): never {
  throw new Error('streaming queries are not offered; page by key instead');
}
