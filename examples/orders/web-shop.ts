/**
 * A web shop that talks to Holdfast by events alone: placed, confirmed, cancelled.
 *
 *   npm run example:shop -- [--cluster]
 *
 * Its messages come late, twice and in the wrong order, as messages do; every order ends as it should all the same. Exits
 * with 1 when the stock is not what was sold.
 */
import { randomUUID } from 'node:crypto';
import { Client, type StockEvent } from './client.ts';
import { startHoldfast, wantsCluster } from './holdfast.ts';

const HQ = 'HQ001';
const STORE = 'SEOUL';
const PRODUCT = `KITE-${randomUUID().slice(0, 8)}`;
const OPENING_STOCK = 10;
const ABOUT_THE_ORDER = ['stock.reserved', 'stock.reservation.failed'];

class WebShop {
  readonly #client: Client;
  readonly #run = randomUUID().slice(0, 8);
  #events = 0;
  sold = 0;

  constructor(client: Client) {
    this.#client = client;
  }

  #orderOf(name: string): string {
    return `${name}-${this.#run}`;
  }

  say(topic: string, order: string, data: Record<string, unknown> = {}): Promise<void> {
    this.#events += 1;
    return this.#client.publish(topic, `shop-${this.#run}-${this.#events}`, {
      orderId: this.#orderOf(order),
      hqId: HQ,
      ...data,
    });
  }

  place(order: string, quantity: number): Promise<void> {
    return this.say('order.placed', order, { storeId: STORE, items: [{ productId: PRODUCT, quantity }] });
  }

  hear(order: string, types: readonly string[]): Promise<StockEvent> {
    const orderId = this.#orderOf(order);
    const isMeant = ({ type, data }: StockEvent) => types.includes(type) && data.orderId === orderId;
    return this.#client.heard(`${types.join(' or ')} of ${order}`, isMeant);
  }

  async confirmed(order: string): Promise<number> {
    const { data } = await this.hear(order, ['stock.confirmed']);
    const units = (data.items ?? []).reduce((sum, item) => sum + item.quantity, 0);
    this.sold += units;
    return units;
  }
}

const STORIES: Record<string, (shop: WebShop, order: string) => Promise<string>> = {
  'an order that is paid': async (shop, order) => {
    await shop.place(order, 2);
    await shop.hear(order, ABOUT_THE_ORDER);
    await shop.say('order.confirmed', order);
    return `${await shop.confirmed(order)} sold`;
  },
  'every message twice': async (shop, order) => {
    for (const _ of ['first', 'again']) await shop.place(order, 1);
    for (const _ of ['first', 'again']) await shop.say('order.confirmed', order);
    return `${await shop.confirmed(order)} sold`;
  },
  'paid before it was placed': async (shop, order) => {
    await shop.say('order.confirmed', order);
    await shop.place(order, 3);
    return `${await shop.confirmed(order)} sold`;
  },
  'a payment that fails': async (shop, order) => {
    await shop.place(order, 2);
    await shop.hear(order, ABOUT_THE_ORDER);
    await shop.say('order.cancelled', order, { reason: 'the card was refused' });
    await shop.hear(order, ['stock.released']);
    return 'given back';
  },
  'cancelled before it was placed': async (shop, order) => {
    await shop.say('order.cancelled', order);
    await shop.place(order, 1);
    const { type, data } = await shop.hear(order, ABOUT_THE_ORDER);
    return type === 'stock.reserved' ? 'held, then given back' : `refused: ${data.reason}`;
  },
  'more than there is': async (shop, order) => {
    await shop.place(order, OPENING_STOCK + 1);
    const { data } = await shop.hear(order, ABOUT_THE_ORDER);
    return `refused: ${data.reason}`;
  },
};

async function main(): Promise<void> {
  const holdfast = await startHoldfast(wantsCluster('usage: npm run example:shop -- [--cluster]'));
  const office = new Client(holdfast.url, await holdfast.token('admin', HQ));
  await office.must('PUT', `/admin/stores/${STORE}`, { name: 'Seoul' });
  const client = new Client(holdfast.url, await holdfast.token('service', HQ));
  await client.listen();
  const shop = new WebShop(client);
  const created = { skuId: PRODUCT, name: 'Kite', initialStock: OPENING_STOCK, storeId: STORE, hqId: HQ };
  await client.publish('sku.created', `created-${PRODUCT}`, created);
  await client.heard('the opening stock', ({ type, data }) => {
    return type === 'stock.updated' && (data as { productId?: string }).productId === PRODUCT;
  });
  for (const [name, tell] of Object.entries(STORIES)) {
    console.log(`${name}: ${await tell(shop, name.replaceAll(' ', '-'))}`);
  }
  const { body } = await client.must('GET', `/stores/${STORE}/products/${PRODUCT}/stock`);
  client.close();
  await holdfast.stop();
  console.log(
    `opening stock ${OPENING_STOCK}, sold ${shop.sold}, on hand ${body.storeStock}, held ${body.reservedStock}`,
  );
  process.exitCode = body.storeStock === OPENING_STOCK - shop.sold && body.reservedStock === 0 ? 0 : 1;
}

main().catch((error: unknown) => {
  console.error(`web shop: ${(error as Error).message}`);
  process.exit(1);
});
