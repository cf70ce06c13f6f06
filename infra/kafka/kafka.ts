/** One Kafka server (KRaft, broker and controller in one), which makes no topics by itself. */

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { here, type LocalServer, type Place, type ServerSettings } from '../local-server.ts';
import { askKafka } from './metadata.ts';

const PROGRAM = 'java';
const READY_MS_MAX = 120_000;
const FORMAT_MS_MAX = 60_000;
const CLUSTER_ID_BYTES = 16;

export interface KafkaOptions {
  folder: string;
  /** Where its jars are. */
  jars: string;
  port: number;
  controllerPort: number;
  clusterId: string;
  settings?: ServerSettings;
  /** Who may log in by SCRAM, where a listener asks for that. */
  scramUsers?: readonly { name: string; password: string }[];
  place?: Place;
  /** For the Java machine. */
  javaOptions?: readonly string[];
}

/** 22 characters. One that begins with `-` would be taken for an option. */
export function newClusterId(): string {
  const id = randomBytes(CLUSTER_ID_BYTES).toString('base64url');
  return id.startsWith('-') ? newClusterId() : id;
}

export function kafkaServer(options: KafkaOptions): LocalServer {
  const { folder, jars, port, clusterId, javaOptions = ['-Xms256m', '-Xmx512m'], place = here } = options;
  const settingsFile = join(folder, 'server.properties');
  const logging = `-Dlog4j2.configurationFile=${pathToFileURL(join(import.meta.dirname, 'log4j2.properties')).href}`;
  // Java itself expands the star.
  const env = { CLASSPATH: join(jars, '*') };
  return {
    title: 'Kafka',
    port,
    folder,
    settingsFile,
    logFile: join(folder, 'kafka.log'),
    program: PROGRAM,
    command: place({ file: PROGRAM, args: [...javaOptions, logging, 'kafka.Kafka', settingsFile], env }),
    readyMsMax: READY_MS_MAX,
    async prepare() {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      writeFileSync(settingsFile, serverProperties(options), { mode: 0o600 });
      if (existsSync(join(folder, 'data', 'meta.properties'))) return;
      const args = ['format', '-t', clusterId, '-c', settingsFile, '--ignore-formatted', ...scramUsersOf(options)];
      const java = [...javaOptions, logging, 'kafka.tools.StorageTool', ...args];
      const command = place({ file: PROGRAM, args: java, env });
      const all = { ...process.env, ...command.env };
      await promisify(execFile)(command.file, command.args, { env: all, timeout: FORMAT_MS_MAX });
    },
    async ask() {
      const found = await askKafka(port);
      if (found.brokerCount === 0) throw new Error('no broker is listed yet');
      if (found.clusterId !== clusterId) throw new Error(`port ${port} is that of another Kafka, ${found.clusterId}`);
    },
  };
}

function scramUsersOf({ scramUsers = [] }: KafkaOptions): string[] {
  const mechanisms = ['SCRAM-SHA-256', 'SCRAM-SHA-512'];
  return scramUsers.flatMap(({ name, password }) =>
    mechanisms.flatMap((mechanism) => ['--add-scram', `${mechanism}=[name=${name},password=${password}]`]),
  );
}

function serverProperties({ folder, port, controllerPort, settings }: KafkaOptions): string {
  const lines: ServerSettings = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    'log.dirs': join(folder, 'data'),
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '8',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '8',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    'log.cleaner.dedupe.buffer.size': '16777216',
    // A broker that was killed is refused for as long as its old session lives (default: 9 s).
    'broker.session.timeout.ms': '2000',
    'broker.heartbeat.interval.ms': '500',
    ...settings,
  };
  return Object.entries(lines)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}
