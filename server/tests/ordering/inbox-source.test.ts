/** The inbox of an embedded installation as a source: in order per topic, from the first that is not handled. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ConsumedTopic } from '../../src/events/topics.ts';
import type { AssignedPartition, MessageSink } from '../../src/ordering/consuming/message-source.ts';
import type { Inbox } from '../../src/ordering/inbox/inbox.ts';
import { InboxSource } from '../../src/ordering/inbox/inbox-source.ts';
import type { ConsumedMessage } from '../../src/ordering/messages/message.ts';
import { until as untilWithin } from '../support/servers/until.ts';
import { handedIn, inboxOver, type OpenedStore, type StoreFixture, sqliteStores } from './inbox-stores.ts';

const until = (condition: () => boolean | Promise<boolean>) => untilWithin('it comes', 10_000, async () => condition());

/** Takes what comes, and says that it is handled when it is told to. */
class RecordingSink implements MessageSink {
  readonly taken: ConsumedMessage[] = [];
  readonly handled = new Map<ConsumedTopic, bigint>();
  /** Topics that have no room. */
  readonly full = new Set<ConsumedTopic>();
  revoked = 0;

  assign(topic: ConsumedTopic): AssignedPartition {
    const sink = this;
    return {
      async take(messages) {
        sink.taken.push(...messages);
        while (sink.full.has(topic)) await new Promise((resolve) => setTimeout(resolve, 5));
      },
      get committable() {
        return sink.handled.get(topic) ?? null;
      },
      async revoke() {
        sink.full.clear();
        sink.revoked += 1;
      },
    };
  }

  get keys(): (string | null)[] {
    return this.taken.map(({ key }) => key);
  }

  /** All that was taken of a topic. */
  handle(topic: ConsumedTopic): void {
    const last = this.taken.findLast((message) => message.topic === topic);
    if (last !== undefined) this.handled.set(topic, last.offset + 1n);
  }
}

let fixture: StoreFixture;
let opened: OpenedStore;
let inbox: Inbox;
let sources: InboxSource[];

beforeEach(async () => {
  fixture = sqliteStores();
  opened = await fixture.open();
  inbox = inboxOver(opened.store).inbox;
  sources = [];
});

afterEach(async () => {
  for (const source of sources) await source.stop();
  await opened.close();
  fixture.remove();
});

async function started(): Promise<{ sink: RecordingSink; source: InboxSource }> {
  const sink = new RecordingSink();
  const source = new InboxSource({
    inbox,
    onError: (error) => {
      throw error;
    },
  });
  sources.push(source);
  await source.start(sink);
  return { sink, source };
}

it('gives on what is there and what comes, as it came, in order', async () => {
  await inbox.put(handedIn('A'));
  const { sink } = await started();
  await inbox.put(handedIn('B'));
  await until(() => sink.taken.length === 2);
  expect(sink.keys).toEqual(['A', 'B']);
  const [first] = sink.taken;
  expect(first).toMatchObject({ topic: 'order.placed', partition: 0, headers: new Map(), at: 1_700_000_000_000 });
  expect(Buffer.from(first?.value ?? []).toString()).toBe(handedIn('A').text);
});

it('takes an event at once when it is put in', async () => {
  const { sink } = await started();
  // Past its first look, which found nothing.
  await new Promise((resolve) => setTimeout(resolve, 100));
  // Its next look by itself comes after 5 s.
  const before = performance.now();
  await inbox.put(handedIn('A'));
  await until(() => sink.taken.length === 1);
  expect(performance.now() - before).toBeLessThan(4_000);
});

it('lets a row go once it is handled, and after a restart begins at the first that is not', async () => {
  for (const key of ['A', 'B', 'C']) await inbox.put(handedIn(key));
  const first = await started();
  await until(() => first.sink.taken.length === 3);
  first.sink.handled.set('order.placed', first.sink.taken[1]?.offset ?? 0n);
  await until(async () => (await opened.store.counts()).get('order.placed') === 2);
  await first.source.stop();
  expect(first.sink.revoked).toBeGreaterThan(0);
  await opened.close();
  opened = await fixture.open();
  inbox = inboxOver(opened.store).inbox;
  const second = await started();
  await until(() => second.sink.taken.length === 2);
  expect(second.sink.keys).toEqual(['B', 'C']);
});

it('waits for what is under way when it stops, and lets it go', async () => {
  await inbox.put(handedIn('A'));
  const { sink, source } = await started();
  await until(() => sink.taken.length === 1);
  sink.handle('order.placed');
  await source.stop();
  expect(await opened.store.read({ afterId: 0, limit: 10 })).toEqual([]);
});

it('a topic that has no room holds up no other, and counts as taken', async () => {
  const { sink, source } = await started();
  sink.full.add('order.completed');
  await inbox.put({ ...handedIn('A'), topic: 'order.completed' });
  await until(() => sink.taken.length === 1);
  await inbox.put({ ...handedIn('B'), topic: 'order.completed' });
  await inbox.put(handedIn('C'));
  await until(() => sink.taken.length === 2);
  expect(sink.keys).toEqual(['A', 'C']);
  expect((await source.lag()).get('order.completed')).toBe(1);
  expect(source.degraded()).toBeNull();
});
