/** One Apicurio Registry, alone, with its schemas in a file. Speaks Confluent's API under `CONFLUENT_API`. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LocalServer } from '../local-server.ts';

const READY_MS_MAX = 120_000;
const ANSWER_MS_MAX = 5_000;
const PROGRAM = 'apicurio-registry-app-3.0.9-runner.jar';
const CONFLUENT_API = '/apis/ccompat/v7';

export interface RegistryOptions {
  folder: string;
  /** Where its archive was unpacked. */
  jars: string;
  port: number;
  /** For the Java machine. */
  javaOptions?: readonly string[];
}

export function registryServer({ folder, jars, port, javaOptions = ['-Xmx384m'] }: RegistryOptions): LocalServer {
  const settingsFile = join(folder, 'registry.properties');
  const lines = {
    'quarkus.http.host': '127.0.0.1',
    'quarkus.http.port': String(port),
    'apicurio.storage.kind': 'sql',
    'apicurio.storage.sql.kind': 'h2',
    // By itself H2 writes half a second after a commit.
    'apicurio.datasource.url': `jdbc:h2:file:${join(folder, 'data', 'registry')};WRITE_DELAY=0`,
    // Each request would be a line of the log.
    'quarkus.http.access-log.enabled': 'false',
  };
  return {
    title: 'Apicurio Registry',
    port,
    folder,
    settingsFile,
    logFile: join(folder, 'registry.log'),
    program: 'java',
    command: {
      file: 'java',
      args: [...javaOptions, `-Dquarkus.config.locations=${settingsFile}`, '-jar', join(jars, PROGRAM)],
    },
    readyMsMax: READY_MS_MAX,
    async prepare() {
      mkdirSync(join(folder, 'data'), { recursive: true, mode: 0o700 });
      const text = Object.entries(lines).map(([name, value]) => `${name}=${value}\n`);
      writeFileSync(settingsFile, text.join(''), { mode: 0o600 });
    },
    async ask() {
      const answer = await fetch(`${confluentApi(port)}/subjects`, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
      if (!answer.ok) throw new Error(`it answers ${answer.status}: ${await answer.text()}`);
    },
  };
}

export const confluentApi = (port: number): string => `http://127.0.0.1:${port}${CONFLUENT_API}`;
