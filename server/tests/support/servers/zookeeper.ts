/** Real ZooKeeper servers, alone. */

import type { ServerSettings } from '../../../../infra/local-server.ts';
import { freePort } from '../../../../infra/ports.ts';
import { type ZookeeperOptions, zookeeperServer } from '../../../../infra/zookeeper/zookeeper.ts';
import { serverFolder, TestServer } from './test-server.ts';

export interface ZookeeperTestOptions {
  /** More lines of zoo.cfg, or others than usual. */
  settings?: ServerSettings;
}

export class ZookeeperTestServer extends TestServer {
  /** `127.0.0.1:port` */
  readonly connectString: string;

  constructor(options: ZookeeperOptions) {
    super(zookeeperServer(options));
    this.connectString = `127.0.0.1:${options.port}`;
  }
}

export async function startZookeeper({ settings = {} }: ZookeeperTestOptions = {}): Promise<ZookeeperTestServer> {
  const server = new ZookeeperTestServer({ folder: serverFolder('zookeeper'), port: await freePort(), settings });
  await server.start();
  return server;
}
