/**
 * The Redis engine against the memory engine and the model over random command sequences: every answer, every entry and
 * the state at the end. `HOLDFAST_REDIS_MODEL_RUNS` asks for more than the sequences of a usual run.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WINDOW_BOUNDS, type WindowBounds } from '../../src/stock/operation-memory.ts';
import type { RedisTarget } from '../../src/stock/redis/open-redis.ts';
import { EngineRig } from '../stock/redis/engine-rig.ts';
import { startRedis } from '../support/servers/redis.ts';
import { NO_FAILOVER, startRedisCluster } from '../support/servers/redis-cluster.ts';
import { describeWith } from '../support/servers/servers.ts';
import { EngineRun } from './engine-run.ts';
import { RedisTwin } from './redis-twin.ts';
import { runSequence, sequenceOf } from './sequences.ts';
import { TracedEngine } from './traced-engine.ts';

const RUNS = Number(process.env.HOLDFAST_REDIS_MODEL_RUNS ?? 1_000);
const FOREVER: WindowBounds = { ...WINDOW_BOUNDS, windowMs: Number.MAX_SAFE_INTEGER };
const NARROW: WindowBounds = { ...WINDOW_BOUNDS, countMax: 3, keepMs: -1, windowMs: 2_000 };

interface Servers {
  target: RedisTarget;
  stop: () => Promise<void>;
}

const TOPOLOGIES: { name: string; runs: number; start: () => Promise<Servers> }[] = [
  {
    name: 'one server',
    runs: RUNS,
    start: async () => {
      const server = await startRedis();
      return { target: { kind: 'standalone', url: server.url }, stop: () => server.stop() };
    },
  },
  {
    name: 'a Cluster',
    runs: Math.ceil(RUNS / 10),
    start: async () => {
      const cluster = await startRedisCluster({ settings: NO_FAILOVER });
      return { target: { kind: 'cluster', urls: cluster.urls }, stop: () => cluster.stop() };
    },
  },
];

for (const { name, runs, start } of TOPOLOGIES) {
  describeWith(['redis'], `the Redis engine on ${name}, the memory engine and the model`, () => {
    let servers: Servers;
    const rigs: EngineRig[] = [];

    beforeAll(async () => {
      servers = await start();
    });
    afterAll(async () => {
      for (const rig of rigs) await rig.close();
      await servers.stop();
    });

    async function agree(bounds: WindowBounds, length: number, numRuns: number): Promise<void> {
      const rig = await EngineRig.open(servers.target, { bounds, forgetsAtOnce: true, believesAnyClock: true });
      rigs.push(rig);
      const twin = new RedisTwin(rig);
      const property = fc.asyncProperty(sequenceOf(length), async (steps) => {
        let traced: TracedEngine | undefined;
        const run = new EngineRun(bounds, (clock) => {
          traced = new TracedEngine(clock, bounds);
          return traced;
        });
        runSequence(run, steps);
        await twin.run(traced?.calls ?? [], run.model, bounds === FOREVER);
      });
      await fc.assert(property, { numRuns });
      expect(rig.lost).toEqual([]);
    }

    it(`agree over ${runs} sequences`, () => agree(FOREVER, 24, runs), 600_000);

    it('agree when the window forgets nearly at once', () => agree(NARROW, 40, Math.ceil(runs / 5)), 600_000);
  });
}
