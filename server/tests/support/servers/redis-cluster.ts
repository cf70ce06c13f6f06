/** A real Redis Cluster of six nodes: three masters, each with a replica. */

import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerSettings } from '../../../../infra/local-server.ts';
import { freePort } from '../../../../infra/ports.ts';
import { newPassword, RedisTestServer } from './redis.ts';
import { serverFolder } from './test-server.ts';
import { until } from './until.ts';

const SLOTS = 16_384;
const MASTERS = 3;
const NODE_ID_BYTES = 20;
const OK_MS_MAX = 60_000;

/** A busy machine silences a master for a second, and its replica may lack what it said last. */
export const NO_FAILOVER: ServerSettings = { 'cluster-node-timeout': '60000' };

export interface RedisClusterOptions {
  /** More lines of each node's redis.conf, or others than usual. */
  settings?: ServerSettings;
}

interface Place {
  id: string;
  port: number;
  busPort: number;
}

export class RedisClusterServers {
  /** Node `i + 3` was made the replica of node `i`, for the first three; after a failover it may be otherwise. */
  readonly nodes: readonly RedisTestServer[];
  readonly password: string;

  constructor(nodes: readonly RedisTestServer[], password: string) {
    this.nodes = nodes;
    this.password = password;
  }

  /** The URLs of all nodes. */
  get urls(): string[] {
    return this.nodes.map((node) => node.url);
  }

  /** The nodes that are masters of some slots now, by what they say themselves; nodes that are down are none. */
  async masters(): Promise<RedisTestServer[]> {
    const roles = await Promise.all(this.nodes.map(roleOf));
    return this.nodes.filter((_node, index) => roles[index] === 'master');
  }

  /** Until every node that is up says that all slots are served. */
  untilOk(): Promise<void> {
    return until('the cluster is ok', OK_MS_MAX, async () => {
      const up = this.nodes.filter((node) => node.isUp);
      const states = await Promise.all(up.map((node) => node.ask('CLUSTER', 'INFO')));
      return states.every((state) => /cluster_state:ok\s[\s\S]*cluster_slots_ok:16384\s/.test(String(state)));
    });
  }

  /** Until every replica that is up copies its master. */
  untilReplicated(): Promise<void> {
    return until('every replica copies its master', OK_MS_MAX, async () => {
      const up = this.nodes.filter((node) => node.isUp);
      const states = await Promise.all(up.map((node) => node.ask('INFO', 'replication')));
      return states.every((state) => /role:master|master_link_status:up/.test(String(state)));
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
  }
}

async function roleOf(node: RedisTestServer): Promise<string> {
  if (!node.isUp) return 'down';
  const info = String(await node.ask('INFO', 'replication'));
  return /role:(\w+)/.exec(info)?.[1] ?? 'unknown';
}

export async function startRedisCluster({ settings = {} }: RedisClusterOptions = {}): Promise<RedisClusterServers> {
  const password = newPassword();
  const places: Place[] = [];
  for (let index = 0; index < 2 * MASTERS; index += 1) {
    const id = randomBytes(NODE_ID_BYTES).toString('hex');
    places.push({ id, port: await freePort(), busPort: await freePort() });
  }
  const nodes = places.map((place) => makeNode(place, places, { password, settings }));
  const cluster = new RedisClusterServers(nodes, password);
  await Promise.all(nodes.map((node) => node.start()));
  await cluster.untilOk();
  await cluster.untilReplicated();
  return cluster;
}

function makeNode(
  place: Place,
  places: Place[],
  { password, settings }: { password: string; settings: ServerSettings },
): RedisTestServer {
  const folder = serverFolder('redis-cluster');
  mkdirSync(join(folder, 'data'));
  writeFileSync(join(folder, 'data', 'nodes.conf'), nodesConf(place, places));
  const cluster = {
    'cluster-enabled': 'yes',
    'cluster-config-file': 'nodes.conf',
    'cluster-port': String(place.busPort),
    'cluster-node-timeout': '1000',
    'repl-diskless-sync-delay': '0',
  };
  return new RedisTestServer({ folder, port: place.port, password, settings: { ...cluster, ...settings } });
}

/**
 * What a node remembers of its cluster, written beforehand: the nodes know each other from their first moment, without
 * meeting and gossip. https://redis.io/docs/latest/commands/cluster-nodes/
 */
function nodesConf(self: Place, places: Place[]): string {
  const lines = places.map((place, index) => {
    const flags = `${place === self ? 'myself,' : ''}${index < MASTERS ? 'master' : 'slave'}`;
    const address = `127.0.0.1:${place.port}@${place.busPort}`;
    const [master, epoch] = index < MASTERS ? ['-', index + 1] : [places[index - MASTERS]!.id, index - MASTERS + 1];
    const slots = index < MASTERS ? ` ${slotsOf(index)}` : '';
    return `${place.id} ${address} ${flags} ${master} 0 0 ${epoch} connected${slots}\n`;
  });
  return `${lines.join('')}vars currentEpoch ${MASTERS} lastVoteEpoch 0\n`;
}

function slotsOf(master: number): string {
  const first = Math.floor((master * SLOTS) / MASTERS);
  return `${first}-${Math.floor(((master + 1) * SLOTS) / MASTERS) - 1}`;
}
