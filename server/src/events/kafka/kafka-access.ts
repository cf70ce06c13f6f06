import type { BaseOptions, ConnectionPoolEventPayload } from '@platformatic/kafka';
import { serverNameOf, type TlsSettings, verificationBy } from '../../tls/tls-settings.ts';

/** How Kafka is reached, and as whom it is used. */
export interface KafkaAccess {
  /** `host:port` each. */
  brokers: readonly string[];
  /** Without: nothing is encrypted. */
  tls?: TlsSettings;
  /** Without: its brokers ask nobody who they are. */
  login?: KafkaLogin;
}

export interface KafkaLogin {
  mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
  username: string;
  password: string;
}

/** What every client of Kafka is made with. */
export function connectionOf({
  brokers,
  tls,
  login,
}: KafkaAccess): Pick<BaseOptions, 'bootstrapBrokers' | 'tls' | 'tlsServerName' | 'sasl'> {
  return {
    bootstrapBrokers: [...brokers],
    ...(tls === undefined ? {} : { tls: verificationBy(tls), tlsServerName: brokers.every(hasName) }),
    ...(login === undefined ? {} : { sasl: login }),
  };
}

/** Whatever produces, consumes or administers. */
interface KafkaClient {
  on(
    event: 'client:broker:connect' | 'client:broker:failed',
    listener: (payload: ConnectionPoolEventPayload) => void,
  ): unknown;
}

/**
 * The client hears the first failure of a connection alone. Where there is a login a second one follows (a broker that
 * goes away amid it, or closes because it wants TLS), and an error event that nobody hears ends the process.
 */
export function hearingErrors<Client extends KafkaClient>(client: Client): Client {
  const hear = ({ connection }: ConnectionPoolEventPayload) => connection.on('error', () => undefined);
  client.on('client:broker:connect', hear);
  client.on('client:broker:failed', hear);
  return client;
}

/** The client takes one answer for all brokers, and those that it is told of are named as these are. */
function hasName(broker: string): boolean {
  return serverNameOf(broker.slice(0, broker.lastIndexOf(':'))).servername !== undefined;
}
