/** Order events from a real Kafka: nothing lost, nobody at one partition with somebody else, whoever comes and goes. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type KafkaTestServer, startKafka } from '../../support/servers/kafka.ts';
import { describeWith } from '../../support/servers/servers.ts';
import { rebalance } from './rebalancing.ts';

const SECOND = 1_000;
vi.setConfig({ testTimeout: 90 * SECOND, hookTimeout: 60 * SECOND });

describeWith(['kafka'], 'rebalances under load', () => {
  let kafka: KafkaTestServer;

  beforeAll(async () => {
    kafka = await startKafka();
  });
  afterAll(() => kafka?.kill());

  const load = { partitions: 4, everyMs: 500, finishMsMax: 60 * SECOND };

  it('loses nothing, repeats only what a killed member had not committed, and never has two at one partition', async () => {
    const { bootstrapServers } = kafka;
    const seen = await rebalance({
      ...load,
      bootstrapServers,
      prefix: 'ours.',
      messages: 16_000,
      changes: 3,
      deaths: 1,
    });
    const { lost, twice, together, againAfterDeath, pauseMsOf, notes } = seen;
    const pauses = [...pauseMsOf.values()].map(Math.round).join(', ');
    console.info(
      `longest pause of each partition: ${pauses} ms; ${againAfterDeath} of ${notes.length} again after kill -9`,
    );
    expect(lost).toEqual([]);
    expect(together).toEqual([]);
    expect(twice).toEqual([]);
    expect(againAfterDeath).toBeLessThan(2_000);
    expect(new Set(notes.map(({ member }) => member)).size).toBeGreaterThan(3);
  });

  it('is failed by the client as it is documented', async () => {
    const { bootstrapServers } = kafka;
    const options = { ...load, bootstrapServers, prefix: 'streaming.', messages: 8_000, changes: 2, deaths: 0 };
    const { together, twice, lost, notes } = await rebalance({ ...options, source: 'streaming' });
    console.info(
      `streaming: ${together.length} together, ${twice.length} twice, ${lost.length} lost of ${notes.length}`,
    );
    expect(together.length).toBeGreaterThan(0);
    expect(twice.length).toBeGreaterThan(0);
  });
});
