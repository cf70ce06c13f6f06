/** Real schema registries, alone, without subjects. */

import { freePort } from '../../../../infra/ports.ts';
import { registryJars } from '../../../../infra/programs/programs.ts';
import { confluentApi, type RegistryOptions, registryServer } from '../../../../infra/registry/registry.ts';
import { ROOT, serverFolder, TestServer } from './test-server.ts';

const JAVA_OPTIONS = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

export class RegistryTestServer extends TestServer {
  /** Of Confluent's API. */
  readonly url: string;

  constructor(options: RegistryOptions) {
    super(registryServer(options));
    this.url = confluentApi(options.port);
  }
}

/** One that does not run yet: `start()` takes 4 s. */
export async function newRegistry(): Promise<RegistryTestServer> {
  const options = { folder: serverFolder('registry'), jars: registryJars(ROOT), port: await freePort() };
  return new RegistryTestServer({ ...options, javaOptions: JAVA_OPTIONS });
}
