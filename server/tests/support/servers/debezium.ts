/** A real Kafka Connect with Debezium, which follows the outbox of a real MariaDB into a real Kafka. */

import { connectServer, followOutbox } from '../../../../infra/debezium/debezium.ts';
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
  const admin = mariadb.adminAccess;
  const database = { ...admin, user: USER, password: newPassword() };
  await followOutbox(connect.port, { bootstrapServers, database, admin });
  return connect;
}
