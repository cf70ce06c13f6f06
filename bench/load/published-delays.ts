/** When events of a topic were decided, and when the broker took them. */
import { Consumer, ListOffsetTimestamps, stringDeserializers } from '@platformatic/kafka';
import { LatencyHistogram } from '../harness/latency-histogram.ts';

/**
 * Of a topic in which the broker writes its own time beside each message.
 * @param since what was decided before is an event, but its delay is not counted; epoch milliseconds
 */
export async function publishedDelays(
  bootstrapServers: string,
  topic: string,
  since: number,
): Promise<{ events: number; counts: Uint32Array }> {
  const consumer = new Consumer({
    clientId: 'bench',
    groupId: `delays-of-${topic}`,
    bootstrapBrokers: [bootstrapServers],
    deserializers: stringDeserializers,
  });
  const histogram = new LatencyHistogram();
  try {
    const ends = await consumer.listOffsets({ topics: [topic], timestamp: ListOffsetTimestamps.LATEST });
    const events = (ends.get(topic) ?? []).reduce((sum, offset) => sum + Number(offset), 0);
    let left = events;
    const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: false });
    for await (const { value, timestamp } of stream) {
      const decidedAt = Date.parse((JSON.parse(value) as { time: string }).time);
      if (decidedAt >= since) histogram.record(Number(timestamp) - decidedAt);
      left -= 1;
      if (left === 0) break;
    }
    return { events, counts: histogram.counts };
  } finally {
    await consumer.close(true);
  }
}
