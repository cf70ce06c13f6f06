/** What the environment says of Kafka: where it is, how it is spoken to, and as whom it is used. */
import type { KafkaSettings } from '../compose-cluster-kafka.ts';
import { type Environment, given, hostAndPort, wrong } from './environment.ts';
import { UsageError } from './failures.ts';
import { kafkaTlsOf } from './tls-configuration.ts';

type KafkaConfiguration = NonNullable<KafkaSettings['kafka']>;
type Login = NonNullable<KafkaConfiguration['login']>;

const MECHANISMS: readonly Login['mechanism'][] = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'];

/** @throws UsageError that names the variable and what it may be */
export function kafkaOf(environment: Environment): KafkaConfiguration {
  const tls = kafkaTlsOf(environment);
  const login = loginOf(environment);
  return {
    brokers: brokersOf(environment),
    groupId: given(environment, 'KAFKA_GROUP_ID') ?? 'holdfast',
    ...(tls === undefined ? {} : { tls }),
    ...(login === undefined ? {} : { login }),
  };
}

function brokersOf(environment: Environment): string[] {
  const variable = given(environment, 'KAFKA_BOOTSTRAP_SERVERS')
    ? 'KAFKA_BOOTSTRAP_SERVERS'
    : 'SPRING_KAFKA_BOOTSTRAP_SERVERS';
  const value = given(environment, variable);
  if (value === undefined) {
    throw new UsageError(
      'KAFKA_BOOTSTRAP_SERVERS is not set: the roles relay and consumers need it, such as localhost:9092. A node without those roles needs no Kafka: --roles api,recorder,projector,scheduler.',
    );
  }
  const brokers = value.split(',').map((part) => hostAndPort(variable, part.trim(), '9092'));
  return brokers.map(({ host, port }) => `${host}:${port}`);
}

function loginOf(environment: Environment): Login | undefined {
  const named = given(environment, 'KAFKA_SASL_MECHANISM');
  const username = given(environment, 'KAFKA_USERNAME');
  const password = given(environment, 'KAFKA_PASSWORD');
  if (named === undefined) {
    if (username === undefined && password === undefined) return undefined;
    const there = username === undefined ? 'KAFKA_PASSWORD' : 'KAFKA_USERNAME';
    throw new UsageError(
      `${there} is set, but KAFKA_SASL_MECHANISM is not: it must be how the brokers ask for a login, ${MECHANISMS.join(', ')}.`,
    );
  }
  const mechanism = MECHANISMS.find((each) => each === named);
  if (mechanism === undefined) throw wrong('KAFKA_SASL_MECHANISM', named, `one of ${MECHANISMS.join(', ')}`);
  if (username !== undefined && password !== undefined) return { mechanism, username, password };
  const missing = username === undefined ? 'KAFKA_USERNAME' : 'KAFKA_PASSWORD';
  throw new UsageError(
    `${missing} is not set: with KAFKA_SASL_MECHANISM=${mechanism} there must be a user and a password.`,
  );
}
