/** The Kafka of a figure, on the same machine as all else, with Java as it is used for long. */
import { Admin } from '@platformatic/kafka';
import { newClusterId } from '../../infra/kafka/kafka.ts';
import type { ServerSettings } from '../../infra/local-server.ts';
import { freePort } from '../../infra/ports.ts';
import { kafkaJars } from '../../infra/programs/programs.ts';
import { KafkaTestServer } from '../../server/tests/support/servers/kafka.ts';
import { ROOT, serverFolder } from '../../server/tests/support/servers/test-server.ts';

export async function startBroker(settings: ServerSettings = {}): Promise<KafkaTestServer> {
  const broker = new KafkaTestServer({
    folder: serverFolder('kafka'),
    jars: kafkaJars(ROOT),
    port: await freePort(),
    controllerPort: await freePort(),
    clusterId: newClusterId(),
    settings,
  });
  await broker.start();
  return broker;
}

export async function removeTopics(bootstrapServers: string, prefix: string): Promise<void> {
  const admin = new Admin({ clientId: 'bench', bootstrapBrokers: [bootstrapServers] });
  const topics = await admin.listTopics();
  await admin.deleteTopics({ topics: topics.filter((topic) => topic.startsWith(prefix)) });
  await admin.close();
}
