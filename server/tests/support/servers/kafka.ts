/** Real Kafka servers: one broker, without topics. */

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type KafkaOptions, kafkaServer, newClusterId } from '../../../../infra/kafka/kafka.ts';
import type { ServerSettings } from '../../../../infra/local-server.ts';
import { withLock } from '../../../../infra/lock.ts';
import { freePort } from '../../../../infra/ports.ts';
import { kafkaJars } from '../../../../infra/programs/programs.ts';
import type { CertificateFiles } from './certificates.ts';
import { ROOT, serverFolder, TEST_FOLDER, TestServer } from './test-server.ts';

// Starts sooner than a server that is to run for long.
const JAVA_OPTIONS = ['-Xms128m', '-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

/** How long a login by SCRAM-SHA-512 holds. */
export const LOGIN_MS = 2_000;

export interface KafkaTestOptions {
  /** More lines of server.properties, or others than usual. */
  settings?: ServerSettings;
  /** One more listener, at `localhost`: over TLS, for who shows a certificate of the authority and logs in. */
  secure?: { authority: string; certificate: CertificateFiles; username: string; password: string };
}

export class KafkaTestServer extends TestServer {
  /** `127.0.0.1:port` */
  readonly bootstrapServers: string;
  /** `localhost:port`, where a listener over TLS was asked for. */
  readonly secureServers: string;

  constructor(options: KafkaOptions, securePort = 0) {
    super(kafkaServer(options));
    this.secureServers = `localhost:${securePort}`;
    this.bootstrapServers = `127.0.0.1:${options.port}`;
  }
}

export async function startKafka({ settings = {}, secure }: KafkaTestOptions = {}): Promise<KafkaTestServer> {
  const options = await newOptions(serverFolder('kafka'));
  const javaOptions = [...JAVA_OPTIONS, `-XX:SharedArchiveFile=${await preparedClasses()}`];
  const securePort = await freePort();
  const all = { ...(secure === undefined ? {} : secureListener(options, securePort, secure)), ...settings };
  const scramUsers = secure === undefined ? [] : [{ name: secure.username, password: secure.password }];
  const server = new KafkaTestServer({ ...options, settings: all, scramUsers, javaOptions }, securePort);
  await server.start();
  return server;
}

async function newOptions(folder: string): Promise<KafkaOptions> {
  const [port, controllerPort] = [await freePort(), await freePort()];
  return { folder, jars: kafkaJars(ROOT), port, controllerPort, clusterId: newClusterId() };
}

function secureListener(
  { port, controllerPort }: KafkaOptions,
  securePort: number,
  { authority, certificate, username, password }: NonNullable<KafkaTestOptions['secure']>,
): ServerSettings {
  const at = 'listener.name.secure';
  const modules = 'org.apache.kafka.common.security';
  return {
    listeners: `PLAINTEXT://127.0.0.1:${port},SECURE://127.0.0.1:${securePort},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},SECURE://localhost:${securePort}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT',
    [`${at}.ssl.keystore.type`]: 'PEM',
    [`${at}.ssl.keystore.location`]: certificate.both,
    [`${at}.ssl.truststore.type`]: 'PEM',
    [`${at}.ssl.truststore.location`]: authority,
    [`${at}.ssl.client.auth`]: 'required',
    [`${at}.sasl.enabled.mechanisms`]: 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    // Logins run out while a test runs, and clients log in again.
    [`${at}.scram-sha-512.connections.max.reauth.ms`]: String(LOGIN_MS),
    [`${at}.plain.sasl.jaas.config`]: `${modules}.plain.PlainLoginModule required user_${username}="${password}";`,
    [`${at}.scram-sha-256.sasl.jaas.config`]: `${modules}.scram.ScramLoginModule required;`,
    [`${at}.scram-sha-512.sasl.jaas.config`]: `${modules}.scram.ScramLoginModule required;`,
  };
}

/**
 * The classes of a server as it has loaded them once, written down by Java: the next ones start in half the time (2.3 s
 * → 1.2 s, and half the processor time). Java does without if it does not fit any more.
 */
async function preparedClasses(): Promise<string> {
  const pom = readFileSync(join(ROOT, 'infra', 'kafka', 'pom.xml'));
  const name = createHash('sha256').update(pom).update(JAVA_OPTIONS.join()).digest('hex').slice(0, 16);
  const file = join(TEST_FOLDER, `kafka-${name}.jsa`);
  if (existsSync(file)) return file;
  await withLock(`${file}.lock`, async () => {
    if (existsSync(file)) return;
    const unfinished = `${file}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true });
    const archive = join(unfinished, 'classes.jsa');
    const options = await newOptions(join(unfinished, 'server'));
    // Beforehand, for the program that formats the data would write down its classes as well.
    await kafkaServer({ ...options, javaOptions: JAVA_OPTIONS }).prepare();
    const javaOptions = [...JAVA_OPTIONS, `-XX:ArchiveClassesAtExit=${archive}`];
    const server = new KafkaTestServer({ ...options, javaOptions });
    await server.start();
    await server.stop();
    // One that took too long to end was killed.
    if (existsSync(archive)) renameSync(archive, file);
    rmSync(unfinished, { recursive: true, force: true });
  });
  return file;
}
