/** Real servers of a cluster that are spoken to over TLS, at `localhost` and by no other name. */

import { freePort } from '../../../infra/ports.ts';
import { asAdmin } from './mariadb-database.ts';
import { type CertificateFiles, TestAuthority } from './servers/certificates.ts';
import { startKafka } from './servers/kafka.ts';
import { startMariadb } from './servers/mariadb.ts';
import { newPassword, startRedis } from './servers/redis.ts';
import { TestCluster } from './test-cluster.ts';

const KAFKA_USER = 'holdfast';

export class SecureCluster {
  readonly servers: TestCluster;
  /** Which has signed what the servers show, and what we show. */
  readonly authority: TestAuthority;
  readonly #own: CertificateFiles;
  readonly #redisPort: number;
  readonly #kafkaPassword: string;

  private constructor(
    servers: TestCluster,
    parts: { authority: TestAuthority; own: CertificateFiles; redisPort: number; kafkaPassword: string },
  ) {
    this.servers = servers;
    this.authority = parts.authority;
    this.#own = parts.own;
    this.#redisPort = parts.redisPort;
    this.#kafkaPassword = parts.kafkaPassword;
  }

  static async start(): Promise<SecureCluster> {
    const authority = await TestAuthority.make('the authority of a test');
    const [certificate, own] = await Promise.all([authority.sign('DNS:localhost'), authority.sign('DNS:a-node')]);
    const redisPort = await freePort();
    const kafkaPassword = newPassword();
    const { certificate: file, key } = certificate;
    const [redis, mariadb, kafka] = await Promise.all([
      startRedis({
        settings: {
          'tls-port': String(redisPort),
          'tls-cert-file': file,
          'tls-key-file': key,
          'tls-ca-cert-file': authority.certificate,
          'tls-auth-clients': 'no',
        },
      }),
      startMariadb({ settings: { 'ssl-cert': file, 'ssl-key': key } }),
      startKafka({
        secure: { authority: authority.certificate, certificate, username: KAFKA_USER, password: kafkaPassword },
      }),
    ]);
    await asAdmin(mariadb, ['set global require_secure_transport = on']);
    const servers = new TestCluster({ redis, mariadb, kafka }, mariadb.access);
    return new SecureCluster(servers, { authority, own, redisPort, kafkaPassword });
  }

  /** The settings of a node that speaks to all of them over TLS. */
  environment(): Record<string, string> {
    const { redis, kafka } = this.servers;
    return {
      ...this.servers.environment(),
      REDIS_URL: `rediss://:${redis.password}@localhost:${this.#redisPort}`,
      REDIS_TLS_CA_FILE: this.authority.certificate,
      DB_HOST: 'localhost',
      DB_TLS: 'on',
      DB_TLS_CA_FILE: this.authority.certificate,
      KAFKA_BOOTSTRAP_SERVERS: kafka?.secureServers as string,
      KAFKA_TLS: 'on',
      KAFKA_TLS_CA_FILE: this.authority.certificate,
      KAFKA_TLS_CERT_FILE: this.#own.certificate,
      KAFKA_TLS_KEY_FILE: this.#own.key,
      KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
      KAFKA_USERNAME: KAFKA_USER,
      KAFKA_PASSWORD: this.#kafkaPassword,
    };
  }

  /** Every password that a message must not show. */
  get secrets(): string[] {
    return [...this.servers.secrets, this.#kafkaPassword];
  }

  stop(): Promise<void> {
    return this.servers.stop();
  }
}
