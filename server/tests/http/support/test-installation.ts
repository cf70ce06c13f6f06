/** Where the application of a test server keeps its data: in a folder of its own, or on the servers of a cluster. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import type { RunningApplication } from '../../../src/application.ts';
import { readClusterConfiguration } from '../../../src/cli/cluster-configuration.ts';
import { openApplication } from '../../../src/compose.ts';
import { openClusterNode } from '../../../src/compose-cluster.ts';
import type { MariadbTestServer } from '../../support/servers/mariadb.ts';
import { TestCluster } from '../../support/test-cluster.ts';

const EARLY_EVENT_WAIT_MS = 30_000;
const READY_MS_MAX = 60_000;
const READY_POLL_MS = 20;
const log = pino({ level: 'silent' });

export interface TestInstallation {
  readonly folder: string;
  /** All its nodes, ready; requests are spread over them. */
  open(): Promise<[RunningApplication, ...RunningApplication[]]>;
  dispose(): Promise<void>;
}

class EmbeddedInstallation implements TestInstallation {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-http-'));

  async open(): Promise<[RunningApplication]> {
    const onFatal = (reason: string) => {
      throw new Error(reason);
    };
    return [await openApplication({ dataFolder: this.folder, log, onFatal, earlyEventWaitMs: EARLY_EVENT_WAIT_MS })];
  }

  async dispose(): Promise<void> {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Two nodes, each with every role but those of Kafka. */
class ClusterInstallation implements TestInstallation {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-http-'));
  readonly #cluster: TestCluster;

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
  }

  async open(): Promise<[RunningApplication, RunningApplication]> {
    const nodes = await Promise.all([this.#openNode('one'), this.#openNode('other')]);
    await Promise.all(nodes.map(untilReady));
    return nodes;
  }

  #openNode(name: string): Promise<RunningApplication> {
    return openClusterNode({
      ...readClusterConfiguration({ ...this.#cluster.environment(), HOLDFAST_NODE: name }),
      tokenKey: new TextEncoder().encode(this.#cluster.secret),
      spoolFolder: join(this.folder, name),
      log,
    });
  }

  async dispose(): Promise<void> {
    await this.#cluster.redis.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Every partition open. */
export async function untilReady(node: RunningApplication): Promise<void> {
  const giveUpAt = performance.now() + READY_MS_MAX;
  while (!node.isReady() || node.readiness().degraded.length > 0) {
    if (performance.now() > giveUpAt) throw new Error(`it is not ready: ${JSON.stringify(node.readiness())}`);
    await delay(READY_POLL_MS);
  }
}

let create: () => Promise<TestInstallation> = async () => new EmbeddedInstallation();

export function newInstallation(): Promise<TestInstallation> {
  return create();
}

/** From now on, test servers of this process are clusters on this MariaDB, each with a Redis of its own. */
export function testClusters(mariadb: MariadbTestServer): void {
  create = async () => new ClusterInstallation(await TestCluster.on(mariadb));
}
