/** One worker of Kafka Connect with Debezium's connector for MariaDB in it, which publishes Holdfast's outbox. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createConnection } from 'mariadb';
import type { LocalServer } from '../local-server.ts';

const READY_MS_MAX = 120_000;
const ANSWER_MS_MAX = 5_000;
const REPLICATION_FACTORS = ['config', 'offset', 'status'].map((name) => [`${name}.storage.replication.factor`, '1']);
const STRING = 'org.apache.kafka.connect.storage.StringConverter';

export interface ConnectOptions {
  folder: string;
  /** Where the worker's own jars are. */
  jars: string;
  /** The folder that holds the folder of Debezium's jars. */
  plugins: string;
  port: number;
  /** `host:port` */
  bootstrapServers: string;
  /** For the Java machine. */
  javaOptions?: readonly string[];
}

/** Distributed, though it is alone: a standalone worker that finds its file of offsets empty loses events in silence. */
export function connectServer(options: ConnectOptions): LocalServer {
  const { folder, jars, port, javaOptions = ['-Xmx512m'] } = options;
  const settingsFile = join(folder, 'worker.properties');
  const logging = `-Dlog4j2.configurationFile=${pathToFileURL(join(import.meta.dirname, '../kafka/log4j2.properties')).href}`;
  return {
    title: 'Kafka Connect',
    port,
    folder,
    settingsFile,
    logFile: join(folder, 'connect.log'),
    program: 'java',
    command: {
      file: 'java',
      args: [...javaOptions, logging, 'org.apache.kafka.connect.cli.ConnectDistributed', settingsFile],
      // Java itself expands the star.
      env: { CLASSPATH: join(jars, '*') },
    },
    readyMsMax: READY_MS_MAX,
    async prepare() {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      writeFileSync(settingsFile, workerProperties(options), { mode: 0o600 });
    },
    async ask() {
      await askConnect(port, '/connectors');
    },
  };
}

function workerProperties({ plugins, port, bootstrapServers }: ConnectOptions): string {
  const lines = {
    'bootstrap.servers': bootstrapServers,
    'group.id': 'holdfast-connect',
    listeners: `http://127.0.0.1:${port}`,
    'plugin.path': plugins,
    'plugin.discovery': 'service_load',
    'key.converter': STRING,
    'value.converter': STRING,
    'header.converter': STRING,
    'config.storage.topic': 'connect-configs',
    'offset.storage.topic': 'connect-offsets',
    'offset.storage.partitions': '1',
    'status.storage.topic': 'connect-status',
    'status.storage.partitions': '1',
    ...Object.fromEntries(REPLICATION_FACTORS),
    'exactly.once.source.support': 'enabled',
    'session.timeout.ms': '6000',
    'heartbeat.interval.ms': '2000',
    'scheduled.rebalance.max.delay.ms': '0',
    'producer.transaction.timeout.ms': '10000',
    'producer.linger.ms': '0',
  };
  return propertiesOf(lines);
}

function propertiesOf(lines: Record<string, string>): string {
  return Object.entries(lines)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

export interface OutboxConnectorOptions {
  bootstrapServers: string;
  /** A user with `REPLICATION SLAVE, BINLOG MONITOR` on everything and `SELECT` on the database. */
  database: { host: string; port: number; user: string; password: string; database: string };
}

/** The connector that follows the outbox. Whoever reads its topics must read committed messages only. */
function outboxConnector({ bootstrapServers, database }: OutboxConnectorOptions): Record<string, string> {
  const table = `${database.database}.outbox`;
  return {
    'connector.class': 'io.debezium.connector.mariadb.MariaDbConnector',
    'tasks.max': '1',
    'database.hostname': database.host,
    'database.port': String(database.port),
    'database.user': database.user,
    'database.password': database.password,
    'database.server.id': '4711',
    'topic.prefix': 'holdfast',
    'database.include.list': database.database,
    'table.include.list': table,
    // What was written before the connector began is the relay's.
    'snapshot.mode': 'no_data',
    'snapshot.locking.mode': 'none',
    'tombstones.on.delete': 'false',
    'skipped.operations': 'u,d,t',
    'poll.interval.ms': '5',
    // With the default it came back 74 s after a restart of the database.
    'connect.keep.alive.interval.ms': '1000',
    'extended.headers.enabled': 'false',
    'exactly.once.support': 'required',
    'schema.history.internal': 'io.debezium.storage.kafka.history.KafkaSchemaHistory',
    'schema.history.internal.kafka.bootstrap.servers': bootstrapServers,
    'schema.history.internal.kafka.topic': 'connect-schema-history',
    'schema.history.internal.store.only.captured.tables.ddl': 'true',
    // A missing topic blocks the connector for ever while it says that it runs.
    'topic.creation.default.replication.factor': '1',
    'topic.creation.default.partitions': '6',
    predicates: 'isOutbox',
    'predicates.isOutbox.type': 'org.apache.kafka.connect.transforms.predicates.TopicNameMatches',
    'predicates.isOutbox.pattern': `holdfast\\.${table.replaceAll('.', '\\.')}`,
    transforms: 'outbox',
    'transforms.outbox.type': 'io.debezium.transforms.outbox.EventRouter',
    'transforms.outbox.predicate': 'isOutbox',
    'transforms.outbox.route.by.field': 'aggregatetype',
    'transforms.outbox.route.topic.regex': '(?<routedByValue>.*)',
    // Debezium's own placeholder.
    'transforms.outbox.route.topic.replacement': ['$', '{routedByValue}'].join(''),
    'transforms.outbox.table.field.event.id': 'id',
    'transforms.outbox.table.field.event.key': 'aggregateid',
    'transforms.outbox.table.field.event.payload': 'payload',
    'transforms.outbox.table.expand.json.payload': 'false',
  };
}

export interface Account {
  host: string;
  port: number;
  user: string;
  password: string;
}

/** Lets Debezium read the outbox, and returns when it does: what is written there from now on is published. */
export async function followOutbox(port: number, options: OutboxConnectorOptions & { admin: Account }): Promise<void> {
  const { database, admin } = options;
  const user = `'${database.user}'@'${database.host}'`;
  const connection = await createConnection(admin);
  try {
    await connection.query(`create user if not exists ${user}`);
    await connection.query(`alter user ${user} identified by '${database.password}'`);
    await connection.query(`grant replication slave, binlog monitor on *.* to ${user}`);
    await connection.query(`grant select on \`${database.database}\`.* to ${user}`);
  } finally {
    await connection.end();
  }
  await putConnector(port, 'holdfast-outbox', outboxConnector(options));
}

/** Creates the connector, or gives it these settings, and waits until its task runs. */
async function putConnector(port: number, name: string, settings: Record<string, string>): Promise<void> {
  await askConnect(port, `/connectors/${name}/config`, settings);
  const giveUpAt = Date.now() + READY_MS_MAX;
  for (;;) {
    const status = (await askConnect(port, `/connectors/${name}/status`).catch(() => null)) as ConnectorStatus | null;
    const failed = status?.tasks.find(({ state }) => state === 'FAILED');
    if (failed !== undefined) throw new Error(`the connector ${name} failed: ${failed.trace}`);
    if (status?.tasks.some(({ state }) => state === 'RUNNING')) return;
    if (Date.now() > giveUpAt) throw new Error(`the connector ${name} does not run: ${JSON.stringify(status)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

interface ConnectorStatus {
  tasks: { state: string; trace?: string }[];
}

async function askConnect(port: number, path: string, body?: unknown): Promise<unknown> {
  const request =
    body === undefined
      ? {}
      : { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    ...request,
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`Kafka Connect answers ${path} with ${answer.status}: ${text}`);
  return JSON.parse(text);
}
