/** What the environment says of TLS to the servers of a cluster. The files are read once, at the start. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { TlsSettings } from '../tls/tls-settings.ts';
import { type Environment, given, wrong } from './environment.ts';
import { UsageError } from './failures.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Undefined: nothing is encrypted.
 * @throws UsageError
 */
export function databaseTlsOf(environment: Environment): TlsSettings | undefined {
  if (isOn(environment, 'DB_TLS')) return authoritiesOf(environment, 'DB_TLS_CA_FILE');
  refuseWithoutTls(environment, 'DB_TLS', ['DB_TLS_CA_FILE']);
  return undefined;
}

/**
 * Undefined: nothing is encrypted.
 * @throws UsageError
 */
export function kafkaTlsOf(environment: Environment): TlsSettings | undefined {
  if (!isOn(environment, 'KAFKA_TLS')) {
    refuseWithoutTls(environment, 'KAFKA_TLS', ['KAFKA_TLS_CA_FILE', 'KAFKA_TLS_CERT_FILE', 'KAFKA_TLS_KEY_FILE']);
    return undefined;
  }
  return { ...authoritiesOf(environment, 'KAFKA_TLS_CA_FILE'), ...kafkaClientOf(environment) };
}

/**
 * Of a Redis that is spoken to over TLS, whatever says so.
 * @throws UsageError
 */
export function redisTlsOf(environment: Environment): TlsSettings {
  return authoritiesOf(environment, 'REDIS_TLS_CA_FILE');
}

/** @throws UsageError */
export function isOn(environment: Environment, variable: string): boolean {
  const value = given(environment, variable) ?? 'off';
  if (value === 'on' || value === 'off') return value === 'on';
  throw wrong(variable, value, 'on or off');
}

/** Whoever names authorities believes that something is verified. */
function refuseWithoutTls(environment: Environment, tls: string, files: readonly string[]): void {
  const file = files.find((variable) => given(environment, variable) !== undefined);
  if (file !== undefined)
    throw new UsageError(`${file} is set, but ${tls} is off: set ${tls}=on, or leave ${file} out.`);
}

function authoritiesOf(environment: Environment, variable: string): TlsSettings {
  const path = given(environment, variable);
  if (path === undefined) return {};
  const ca = read(variable, path);
  certificatesIn(variable, path, ca);
  return { ca };
}

function kafkaClientOf(environment: Environment): Pick<TlsSettings, 'client'> {
  const certificatePath = given(environment, 'KAFKA_TLS_CERT_FILE');
  const keyPath = given(environment, 'KAFKA_TLS_KEY_FILE');
  if (certificatePath === undefined && keyPath === undefined) return {};
  if (certificatePath === undefined || keyPath === undefined) {
    const [there, missing] =
      certificatePath === undefined
        ? ['KAFKA_TLS_KEY_FILE', 'KAFKA_TLS_CERT_FILE']
        : ['KAFKA_TLS_CERT_FILE', 'KAFKA_TLS_KEY_FILE'];
    throw new UsageError(`${there} is set, but ${missing} is not: a certificate of ours is of use with its key only.`);
  }
  const certificate = read('KAFKA_TLS_CERT_FILE', certificatePath);
  const key = read('KAFKA_TLS_KEY_FILE', keyPath);
  const [own] = certificatesIn('KAFKA_TLS_CERT_FILE', certificatePath, certificate);
  if (own?.checkPrivateKey(keyIn('KAFKA_TLS_KEY_FILE', keyPath, key))) return { client: { certificate, key } };
  throw new UsageError(
    `KAFKA_TLS_KEY_FILE names ${keyPath}, which is not the key of the first certificate in ${certificatePath} (KAFKA_TLS_CERT_FILE).`,
  );
}

function read(variable: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${variable} names ${path}, which cannot be read: ${(error as Error).message}`);
  }
}

function certificatesIn(variable: string, path: string, text: string): X509Certificate[] {
  try {
    const certificates = text.match(CERTIFICATE)?.map((pem) => new X509Certificate(pem)) ?? [];
    if (certificates.length > 0) return certificates;
  } catch {
    // Said below, without what is in the file.
  }
  throw new UsageError(`${variable} names ${path}, but it must be a file of certificates in PEM.`);
}

function keyIn(variable: string, path: string, text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    throw new UsageError(`${variable} names ${path}, but it must be a private key in PEM that no password protects.`);
  }
}
