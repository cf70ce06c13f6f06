/** A real Kafka Connect with Debezium, which follows the outbox of a real MariaDB into a real Kafka. */

import { createConnection } from 'mariadb';
import { connectServer, outboxConnector, putConnector } from '../../../../infra/debezium/debezium.ts';
import { freePort } from '../../../../infra/ports.ts';
import { connectJars, debeziumPlugins } from '../../../../infra/programs/programs.ts';
import type { KafkaTestServer } from './kafka.ts';
import type { MariadbTestServer } from './mariadb.ts';
import { newPassword } from './redis.ts';
import { ROOT, serverFolder, TestServer } from './test-server.ts';

const JAVA_OPTIONS = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
const USER = 'debezium';

/** Its task runs on return: what is written to the outbox from now on is published. */
export async function startDebezium(kafka: KafkaTestServer, mariadb: MariadbTestServer): Promise<TestServer> {
  const password = newPassword();
  const { adminAccess } = mariadb;
  const connection = await createConnection(adminAccess);
  await connection.query(`create user '${USER}'@'127.0.0.1' identified by '${password}'`);
  await connection.query(`grant replication slave, binlog monitor on *.* to '${USER}'@'127.0.0.1'`);
  await connection.query(`grant select on \`${adminAccess.database}\`.* to '${USER}'@'127.0.0.1'`);
  await connection.end();
  const { bootstrapServers } = kafka;
  const connect = new TestServer(
    connectServer({
      folder: serverFolder('connect'),
      jars: connectJars(ROOT),
      plugins: debeziumPlugins(ROOT),
      port: await freePort(),
      bootstrapServers,
      javaOptions: JAVA_OPTIONS,
    }),
  );
  await connect.start();
  const database = { ...adminAccess, user: USER, password };
  await putConnector(connect.port, 'holdfast-outbox', outboxConnector({ bootstrapServers, database }));
  return connect;
}
