/**
 * What other teams' services might send about a number of orders, from a seed: each order has a story, its events are
 * repeated, shuffled within and across topics, and rubbish lies between them. What must be true at the end depends on
 * no interleaving, so it is known beforehand.
 */
import type { ConsumedTopic } from '../../../src/events/topics.ts';
import { Random } from '../../simulation/random.ts';

export const HQS = ['HQ001', 'HQ002'];
export const STORES = ['S1', 'S2'];
export const PRODUCTS = Array.from({ length: 20 }, (_, index) => `P${index}`);
/** Of every product at every store, in every HQ. */
export const OPENING_STOCK = 1_000_000;

const REPEATED = 0.2;
const RUBBISH = 0.01;
/** Most events are moved by at most so many places; some go anywhere. */
const MOVED_BY = 500;
const MOVED_FAR = 0.002;
const TTL_MS = 3_600_000;
const CARTS = 50;

interface Line {
  productId: string;
  quantity: number;
}

export interface SentMessage {
  topic: ConsumedTopic;
  key: string | null;
  value: string | null;
  /** What is wrong with it; absent: it is as it should be. */
  rubbish?: string;
}

/** How an order ends. */
export interface OrderEnd {
  hqId: string;
  orderId: string;
  storeId: string;
  status: 'active' | 'confirmed' | 'released' | 'none';
  held: Line[];
  sold: Line[];
}

export interface Stories {
  messages: SentMessage[];
  ends: OrderEnd[];
  /** Products that events made, with their opening stock in the pool. */
  created: { hqId: string; productId: string; quantity: number }[];
  /** Orders that share a message key with others: in the order in which each key's first events are sent. */
  keyed: Map<string, string[]>;
  /** Messages that contradict what came before under the same order. */
  contradicting: Set<string>;
}

const TELLERS = { sold, soldInPart, cancelled, held, asksForMore, cancelledOnly, changesItsMind, soldTwiceOver };
type Kind = keyof typeof TELLERS;
const WEIGHTS: Record<Kind, number> = {
  sold: 42,
  soldInPart: 10,
  cancelled: 16,
  held: 6,
  asksForMore: 5,
  cancelledOnly: 3,
  changesItsMind: 3,
  soldTwiceOver: 15,
};

interface Event {
  topic: ConsumedTopic;
  key: string | null;
  data: Record<string, unknown>;
}

class Story {
  readonly random: Random;
  readonly hqId: string;
  readonly orderId: string;
  readonly storeId: string;
  readonly lines: Line[];
  readonly events: Event[] = [];
  readonly #key: string;
  readonly #mayLackKey: boolean;

  constructor(random: Random, number: number, { key, mayLackKey }: { key: string | null; mayLackKey: boolean }) {
    this.random = random;
    this.hqId = HQS[number % HQS.length] as string;
    this.orderId = `O-${number}`;
    this.storeId = random.of(STORES);
    const count = random.between(1, 3);
    const first = random.between(0, PRODUCTS.length - 1);
    this.lines = Array.from({ length: count }, (_, index) => ({
      productId: PRODUCTS[(first + index) % PRODUCTS.length] as string,
      quantity: random.between(2, 5),
    }));
    this.#key = key ?? this.orderId;
    this.#mayLackKey = mayLackKey;
  }

  placed(lines: readonly Line[] = this.lines): void {
    this.#say('order.placed', { storeId: this.storeId, items: lines, ttlMs: TTL_MS }, this.#key);
  }

  completed(topic: 'order.completed' | 'order.confirmed', lines?: readonly Line[]): void {
    const items = lines?.map((line) => ({ ...line, actualPrice: this.random.between(1, 9_999) }));
    this.#say(topic, { storeId: this.storeId, ...(items === undefined ? {} : { items }), totalAmount: 1 });
  }

  cancelled(): void {
    this.#say('order.cancelled', { reason: 'the payment failed' });
  }

  #say(topic: ConsumedTopic, data: Record<string, unknown>, key = this.orderId): void {
    const { orderId, hqId } = this;
    // The order's id serves where a producer set no key.
    const lacksKey = this.#mayLackKey && key === orderId && this.random.chance(0.05);
    this.events.push({ topic, key: lacksKey ? null : key, data: { orderId, hqId, ...data } });
  }

  ends(status: OrderEnd['status'], parts: { held?: Line[]; sold?: Line[] } = {}): OrderEnd {
    const { hqId, orderId, storeId } = this;
    return { hqId, orderId, storeId, status, held: parts.held ?? [], sold: parts.sold ?? [] };
  }
}

function paidTopic(story: Story): 'order.completed' | 'order.confirmed' {
  return story.random.chance(0.5) ? 'order.completed' : 'order.confirmed';
}

function sold(story: Story): OrderEnd {
  story.placed();
  story.completed(paidTopic(story), story.random.chance(0.5) ? story.lines : undefined);
  return story.ends('confirmed', { sold: story.lines });
}

function soldInPart(story: Story): OrderEnd {
  const fewer = story.lines.map((line) => ({ ...line, quantity: line.quantity - 1 }));
  story.placed();
  story.completed(paidTopic(story), fewer);
  return story.ends('confirmed', { sold: fewer });
}

function soldTwiceOver(story: Story): OrderEnd {
  story.placed();
  story.completed('order.completed', story.lines);
  story.completed('order.confirmed', story.lines);
  return story.ends('confirmed', { sold: story.lines });
}

function cancelled(story: Story): OrderEnd {
  story.placed();
  story.cancelled();
  // Whoever came first, nothing is held.
  return story.ends('released');
}

function held(story: Story): OrderEnd {
  story.placed();
  return story.ends('active', { held: story.lines });
}

function asksForMore(story: Story): OrderEnd {
  story.placed();
  story.completed(
    paidTopic(story),
    story.lines.map((line) => ({ ...line, quantity: line.quantity + 1 })),
  );
  return story.ends('active', { held: story.lines });
}

function cancelledOnly(story: Story): OrderEnd {
  story.cancelled();
  return story.ends('none');
}

/** Its lines are set once it is known which of the two is sent first. */
function changesItsMind(story: Story): OrderEnd {
  story.placed();
  story.placed(story.lines.map((line) => ({ ...line, quantity: line.quantity + 7 })));
  return story.ends('active', { held: story.lines });
}

/** About so many messages. */
export function tellStories(seed: number, count: number): Stories {
  const random = new Random(seed);
  const stories: Story[] = [];
  const ends: OrderEnd[] = [];
  const created: Stories['created'] = [];
  const events: Event[] = [];
  while (events.length < count * (1 - REPEATED - RUBBISH)) {
    const number = stories.length;
    if (random.chance(0.02)) {
      const product = { hqId: random.of(HQS), productId: `NEW-${created.length}`, quantity: random.between(1, 50) };
      created.push(product);
      const { hqId, productId: skuId, quantity: initialStock } = product;
      events.push({ topic: 'sku.created', key: skuId, data: { skuId, hqId, name: `New ${skuId}`, initialStock } });
      continue;
    }
    const kind = random.weighted(WEIGHTS);
    const cart = kind === 'sold' && random.chance(0.2) ? `cart-${random.between(0, CARTS - 1)}` : null;
    // Without a key a message may go to any partition, where nothing keeps its place among the others of its order.
    const story = new Story(random, number, { key: cart, mayLackKey: kind !== 'changesItsMind' });
    stories.push(story);
    ends.push(TELLERS[kind](story));
    events.push(...story.events);
  }
  const enveloped = events.map((event, index) => envelope(random, event, `E-${index}`));
  const messages = shuffled(random, [
    ...enveloped,
    ...repeats(random, events, enveloped, count),
    ...rubbish(random, count),
  ]);
  return { ...heedFirst(messages, ends), messages, created };
}

const SPELLINGS: Record<ConsumedTopic, string[]> = {
  'order.placed': ['order.placed', 'OrderPlaced', 'ORDER_PLACED', 'shop.order.placed.v1'],
  'order.completed': ['order.completed', 'OrderCompleted', 'ORDER_COMPLETED', 'shop.order.completed.v1'],
  'order.confirmed': ['order.confirmed', 'OrderConfirmed', 'ORDER_CONFIRMED'],
  'order.cancelled': ['order.cancelled', 'OrderCancelled', 'ORDER_CANCELLED'],
  'sku.created': ['sku.created', 'SkuCreated', 'SKU_CREATED'],
};

function envelope(random: Random, { topic, key, data }: Event, eventId: string): SentMessage {
  const type = random.of(SPELLINGS[topic]);
  const time = new Date(1_700_000_000_000).toISOString();
  const value = random.chance(0.5)
    ? { eventId, eventType: type, timestamp: time, data }
    : { specversion: '1.0', id: eventId, source: '/shop', type, time, datacontenttype: 'application/json', data };
  return { topic, key, value: JSON.stringify(value) };
}

/** The same message again, or the same event under another id. */
function repeats(
  random: Random,
  events: readonly Event[],
  messages: readonly SentMessage[],
  count: number,
): SentMessage[] {
  return Array.from({ length: Math.round(count * REPEATED) }, (_, index) => {
    const chosen = random.between(0, events.length - 1);
    return random.chance(0.5)
      ? (messages[chosen] as SentMessage)
      : envelope(random, events[chosen] as Event, `R-${index}`);
  });
}

const RUBBISH_KINDS: ((name: string) => string | null)[] = [
  () => null,
  (name) => `{"eventId":"${name}","eventType":"order.placed","data":{`,
  (name) => JSON.stringify({ eventId: name, eventType: 'order.cancelled', data: { orderId: name, hqId: 'HQ001' } }),
  (name) =>
    JSON.stringify({ eventId: name, eventType: 'order.placed', data: { orderId: name, storeId: 'S1', items: [] } }),
  (name) =>
    JSON.stringify({
      eventId: name,
      eventType: 'order.placed',
      data: { orderId: name, hqId: 'HQ001', storeId: 'S1', items: [{ productId: 'P1', quantity: -1 }] },
    }),
  (name) => JSON.stringify({ hello: name }),
  (name) => `\u0000\u0001${name}`,
];

function rubbish(random: Random, count: number): SentMessage[] {
  return Array.from({ length: Math.max(1, Math.round(count * RUBBISH)) }, (_, index) => {
    const key = `rubbish-${index}`;
    return { topic: 'order.placed' as const, key, value: random.of(RUBBISH_KINDS)(key), rubbish: key };
  });
}

/** What a rubbish message should have said: an order that is held. */
export function corrected(name: string): { text: string; end: OrderEnd } {
  const items = [{ productId: 'P0', quantity: 1 }];
  const data = { orderId: name, hqId: 'HQ001', storeId: 'S1', items, ttlMs: TTL_MS };
  const end: OrderEnd = { hqId: 'HQ001', orderId: name, storeId: 'S1', status: 'active', held: items, sold: [] };
  return { text: JSON.stringify({ eventId: `${name}-corrected`, eventType: 'order.placed', data }), end };
}

function shuffled(random: Random, messages: readonly SentMessage[]): SentMessage[] {
  const places = messages.map((message, index) => {
    const far = random.chance(MOVED_FAR);
    return { message, place: far ? random.between(0, messages.length) : index + random.between(-MOVED_BY, MOVED_BY) };
  });
  // Repeats and rubbish stand at the end: they are spread over all first.
  const spread = places.map((each, index) =>
    index < messages.length * (1 - REPEATED - RUBBISH) ? each : { ...each, place: random.between(0, messages.length) },
  );
  return spread.sort((one, other) => one.place - other.place).map(({ message }) => message);
}

/** Of events of one key and topic the first one counts, whatever says otherwise later. */
function heedFirst(
  messages: readonly SentMessage[],
  ends: readonly OrderEnd[],
): Pick<Stories, 'ends' | 'keyed' | 'contradicting'> {
  const first = new Map<string, string>();
  const keyed = new Map<string, string[]>();
  const contradicting = new Set<string>();
  for (const { topic, key, value, rubbish: isRubbish } of messages) {
    if (topic !== 'order.placed' || value === null || isRubbish !== undefined) continue;
    const { data } = JSON.parse(value) as { data: { orderId: string; items: Line[] } };
    const asked = JSON.stringify(data.items);
    const before = first.get(data.orderId);
    if (before === undefined) {
      first.set(data.orderId, asked);
      if (key !== null && key !== data.orderId) keyed.set(key, [...(keyed.get(key) ?? []), data.orderId]);
    } else if (before !== asked) contradicting.add(data.orderId);
  }
  const heeded = ends.map((end) =>
    contradicting.has(end.orderId) ? { ...end, held: JSON.parse(first.get(end.orderId) as string) as Line[] } : end,
  );
  return { ends: heeded, keyed, contradicting };
}
