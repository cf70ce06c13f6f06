/** What was put into the inbox is there, in its order, until it is taken out; and what is refused is not. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type InboxEvent, InboxFull, type InboxStore, InboxUnavailable } from '../../src/ordering/inbox/inbox.ts';
import { describeInboxStores, handedIn, inboxOver, type OpenedStore, type StoreFixture } from './inbox-stores.ts';

const ALL = { afterId: 0, limit: 10_000 };
const keysOf = (events: readonly InboxEvent[]) => events.map(({ key }) => key);

describeInboxStores('the inbox', (fresh) => {
  let fixture: StoreFixture;
  let opened: OpenedStore;
  let store: InboxStore;

  beforeEach(async () => {
    fixture = await fresh();
    opened = await fixture.open();
    store = opened.store;
  });

  afterEach(async () => {
    await opened.close();
    fixture.remove();
  });

  async function reopen(): Promise<void> {
    await opened.close();
    opened = await fixture.open();
    store = opened.store;
  }

  it('keeps an event as it came, over a restart', async () => {
    const event = handedIn('O-1');
    await inboxOver(store).inbox.put(event);
    await reopen();
    expect(await store.read(ALL)).toEqual([{ id: expect.any(Number), ...event }]);
  });

  it('keeps the order of one caller, by topic and of all', async () => {
    const { inbox } = inboxOver(store);
    for (const [topic, key] of [
      ['order.placed', 'A'],
      ['order.completed', 'A'],
      ['order.placed', 'B'],
    ] as const)
      await inbox.put({ ...handedIn(key), topic });
    const all = await store.read(ALL);
    expect(all.map(({ topic, key }) => `${topic} ${key}`)).toEqual([
      'order.placed A',
      'order.completed A',
      'order.placed B',
    ]);
    expect(keysOf(await store.read({ ...ALL, topic: 'order.placed' }))).toEqual(['A', 'B']);
    expect(keysOf(await store.read({ afterId: all[0]?.id ?? 0, limit: 1 }))).toEqual(['A']);
    expect(await store.counts()).toEqual(
      new Map([
        ['order.completed', 1],
        ['order.placed', 2],
      ]),
    );
  });

  it('takes in many callers at once, in few commits', async () => {
    let commits = 0;
    const counting = Object.assign(Object.create(store) as InboxStore, {
      insert: (events: Parameters<InboxStore['insert']>[0]) => {
        commits += 1;
        return store.insert(events);
      },
      counts: () => store.counts(),
      read: (query: typeof ALL) => store.read(query),
    });
    const { inbox } = inboxOver(counting);
    const keys = Array.from({ length: 500 }, (_, index) => `O-${index}`);
    await Promise.all(keys.map((key) => inbox.put(handedIn(key))));
    expect(keysOf(await store.read(ALL))).toEqual(keys);
    expect(commits).toBeLessThan(10);
  });

  it('never gives an id twice, so that what was parked under one is not mistaken for another', async () => {
    const { inbox } = inboxOver(store);
    await inbox.put(handedIn('A'));
    const [first] = await store.read(ALL);
    await store.remove([first?.id ?? 0, 4_711]);
    expect(await store.read(ALL)).toEqual([]);
    await reopen();
    await inboxOver(store).inbox.put(handedIn('B'));
    const [second] = await store.read(ALL);
    expect(second?.id).toBeGreaterThan(first?.id ?? 0);
  });

  it('is bounded', async () => {
    await inboxOver(store).inbox.put(handedIn('A'));
    await inboxOver(store).inbox.put(handedIn('B'));
    const { inbox, failed } = inboxOver(store, 3);
    await inbox.put(handedIn('C'));
    await expect(inbox.put(handedIn('D'))).rejects.toThrow(InboxFull);
    expect(keysOf(await store.read(ALL))).toEqual(['A', 'B', 'C']);
    expect(failed).toEqual([]);
  });

  it('keeps no more in memory than its bound while the database does not answer', async () => {
    const answering = Promise.withResolvers<void>();
    const slow = Object.assign(Object.create(store) as InboxStore, {
      insert: async (events: Parameters<InboxStore['insert']>[0]) => {
        await answering.promise;
        return store.insert(events);
      },
      counts: () => store.counts(),
    });
    const { inbox } = inboxOver(slow, undefined, 250);
    const long = (key: string) => handedIn(key, JSON.stringify('x'.repeat(98)));
    const first = [inbox.put(long('A')), inbox.put(long('B'))];
    await expect(inbox.put(long('C'))).rejects.toThrow(InboxUnavailable);
    answering.resolve();
    await Promise.all(first);
    await inbox.put(long('D'));
    expect(keysOf(await store.read(ALL))).toEqual(['A', 'B', 'D']);
  });

  it('says that nothing was stored when the database is away, tells an operator once, and counts each', async () => {
    const { inbox, failed, refused } = inboxOver(store);
    await inbox.put(handedIn('A'));
    await opened.close();
    for (const key of ['B', 'C']) await expect(inbox.put(handedIn(key))).rejects.toThrow();
    expect([failed.length, refused()]).toEqual([1, 2]);
    opened = await fixture.open();
    store = opened.store;
    expect(keysOf(await store.read(ALL))).toEqual(['A']);
  });

  it('is unavailable, not unknown, when it cannot even be counted', async () => {
    const { inbox } = inboxOver(store);
    await opened.close();
    await expect(inbox.put(handedIn('A'))).rejects.toThrow(InboxUnavailable);
    opened = await fixture.open();
    store = opened.store;
  });
});
