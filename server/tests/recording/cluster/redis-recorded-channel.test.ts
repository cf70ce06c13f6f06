/** Announcements between processes over a real Redis. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RecordedAnnouncement } from '../../../src/recording/cluster/recorded-channel.ts';
import { RedisRecordedChannel } from '../../../src/recording/cluster/redis/redis-recorded-channel.ts';
import { openRedis } from '../../../src/stock/redis/open-redis.ts';
import type { RedisConnection } from '../../../src/stock/redis/redis-connection.ts';
import { type RedisTestServer, startRedis } from '../../support/servers/redis.ts';
import { describeWith } from '../../support/servers/servers.ts';
import { until } from './support/memory-cluster.ts';

const OPENED = { partition: 3, epoch: 2, firstSeq: 9, marks: ['start'], duplicates: [], opened: true };
const RECORDED: RecordedAnnouncement = {
  partition: 63,
  epoch: 2,
  firstSeq: 10,
  marks: ['aa', 'bb'],
  duplicates: [[11, 4]],
  opened: false,
};

describeWith(['redis'], 'the channel of what is recorded', () => {
  let server: RedisTestServer;
  const connections: RedisConnection[] = [];
  const troubles: string[] = [];

  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(async () => {
    for (const connection of connections) await connection.close();
    await server.stop();
  });

  async function channel() {
    const connection = await openRedis({ kind: 'standalone', url: server.url }, () => undefined);
    connections.push(connection);
    const opened = await RedisRecordedChannel.open(connection, (error) => troubles.push(error.message));
    const heard: RecordedAnnouncement[] = [];
    const end = opened.subscribe((announcements) => heard.push(...announcements));
    return { opened, heard, end };
  }

  it('tells this process at once and once, others soon, and what is no announcement nobody', async () => {
    const [own, other] = [await channel(), await channel()];
    own.opened.announce([OPENED, RECORDED]);
    expect(own.heard).toEqual([OPENED, RECORDED]);
    await until(() => other.heard.length === 2);
    expect(other.heard).toEqual([OPENED, RECORDED]);
    for (const nonsense of ['no json', '["x",[1,2]]', '["x",["1",2,3,0,"a",[]]]']) {
      await server.ask('PUBLISH', 'holdfast:recorded', nonsense);
    }
    await until(() => troubles.length === 6);
    own.end();
    other.opened.announce([RECORDED]);
    expect(other.heard).toHaveLength(3);
    expect(own.heard).toHaveLength(2);
  });
});
