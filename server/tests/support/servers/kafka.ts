/** Real Kafka servers: one broker, without topics. */

import { type KafkaOptions, kafkaServer, newClusterId } from '../../../../infra/kafka/kafka.ts';
import type { ServerSettings } from '../../../../infra/local-server.ts';
import { freePort } from '../../../../infra/ports.ts';
import { kafkaJars } from '../../../../infra/programs/programs.ts';
import { ROOT, serverFolder, TestServer } from './test-server.ts';

// Starts sooner than a server that is to run for long.
const JAVA_OPTIONS = ['-Xms128m', '-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

export interface KafkaTestOptions {
  /** More lines of server.properties, or others than usual. */
  settings?: ServerSettings;
}

export class KafkaTestServer extends TestServer {
  /** `127.0.0.1:port` */
  readonly bootstrapServers: string;

  constructor(options: KafkaOptions) {
    super(kafkaServer(options));
    this.bootstrapServers = `127.0.0.1:${options.port}`;
  }
}

export async function startKafka({ settings = {} }: KafkaTestOptions = {}): Promise<KafkaTestServer> {
  const server = new KafkaTestServer({
    folder: serverFolder('kafka'),
    jars: kafkaJars(ROOT),
    port: await freePort(),
    controllerPort: await freePort(),
    clusterId: newClusterId(),
    settings,
    javaOptions: JAVA_OPTIONS,
  });
  await server.start();
  return server;
}
