/**
 * Tills of all stores, as uneven as real ones: some stores are busy, few products sell most (Zipf), most customers
 * pay, some change their mind, some walk away and leave their reservation to expire, a few come back too late. Lorries
 * bring new goods to the HQ pool and on to the shelves, never quite enough.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { RunningApplication } from '../../server/src/application.ts';
import type { Command, Item } from '../../server/src/stock/commands.ts';
import { newReservationId, partitionOf } from '../../server/src/stock/identifiers.ts';
import { HQ_POOL } from '../../server/src/stock/limits.ts';
import { isSuccess, type Outcome } from '../../server/src/stock/outcome.ts';
import { type Chain, DEMO, HQ_ID, type Shelf } from './chain.ts';
import { type Chance, Lottery, shuffled } from './chance.ts';
import type { Tally } from './tally.ts';

const TICK_MS = 10;
const PAYING_TTL_MS = 60_000;
const LEAVING_TTL_MS = 2_000;
/** How long a customer stands at the till. */
const PAYMENT_MS_MAX = 800;
const RELEASED_SHARE = 0.06;
const LEFT_SHARE = 0.05;
const LATE_SHARE = 0.01;
/** A lorry's round; what it brings covers this share of what sells meanwhile. */
const ROUND_MS = 5_000;
const COVERED_SHARE = 0.9;
const LINES_PER_SALE = [1, 1, 1, 1, 2, 2, 3];
const STORE_EXPONENT = 0.6;
const PRODUCT_EXPONENT = 1.0;

interface Store {
  storeId: string;
  weight: number;
  shelves: Shelf[];
  lottery: Lottery<Shelf>;
}

export class ShopFloor {
  readonly #application: RunningApplication;
  readonly #chain: Chain;
  readonly #tally: Tally;
  readonly #chance: Chance;
  readonly #rate: number;
  readonly #stores: Store[];
  readonly #storeLottery: Lottery<Store>;
  readonly #productWeights = new Map<string, number>();
  /** Reservations left behind, and when each is due. */
  #left: { reservationId: string; dueAt: number }[] = [];
  #underWay = 0;
  #transactions = 0;
  #deliveries = 0;
  #stopped = false;

  constructor(parts: { application: RunningApplication; chain: Chain; tally: Tally; chance: Chance; rate: number }) {
    this.#application = parts.application;
    this.#chain = parts.chain;
    this.#tally = parts.tally;
    this.#chance = parts.chance;
    this.#rate = parts.rate;
    const productIds = shuffled([...parts.chain.products.keys()], this.#chance);
    for (const [rank, productId] of productIds.entries())
      this.#productWeights.set(productId, 1 / (rank + 1) ** PRODUCT_EXPONENT);
    this.#stores = shuffled([...parts.chain.shelves.keys()], this.#chance).map((storeId, rank) =>
      this.#store(storeId, 1 / (rank + 1) ** STORE_EXPONENT),
    );
    this.#storeLottery = new Lottery(this.#stores, (store) => store.weight);
  }

  #store(storeId: string, weight: number): Store {
    const shelves = this.#chain.shelves.get(storeId) ?? [];
    const lottery = new Lottery(shelves, ({ productId }) => this.#productWeights.get(productId) ?? 0);
    return { storeId, weight, shelves, lottery };
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Customers arrive at the rate, whether or not the ones before them are served. */
  async open(seconds: number): Promise<void> {
    const startedAt = performance.now();
    const lorries = this.#driveLorries();
    let arrived = 0;
    while (!this.#stopped) {
      const elapsedMs = performance.now() - startedAt;
      if (elapsedMs >= seconds * 1_000) break;
      const due = Math.floor((elapsedMs / 1_000) * this.#rate);
      for (; arrived < due; arrived += 1) void this.#serve();
      await delay(TICK_MS);
    }
    this.#stopped = true;
    await lorries;
    while (this.#underWay > 0 || this.#left.length > 0) {
      this.countExpired();
      await delay(TICK_MS);
    }
  }

  /** Looks after the reservations that were left behind. */
  countExpired(): void {
    const { engine, now } = this.#application;
    this.#left = this.#left.filter(({ reservationId, dueAt }) => {
      if (dueAt > now()) return true;
      const found = engine.hold(reservationId) as { hold: { status: string } } | null;
      if (found?.hold.status === 'active') return true;
      this.#tally.expired += 1;
      return false;
    });
  }

  async #serve(): Promise<void> {
    this.#underWay += 1;
    try {
      await this.#sale();
    } catch {
      this.#tally.failed += 1;
    } finally {
      this.#underWay -= 1;
    }
  }

  async #sale(): Promise<void> {
    this.#transactions += 1;
    const transactionId = `till-${this.#transactions}`;
    const reservationId = newReservationId(partitionOf(HQ_ID));
    const { storeId, items } = this.#basket();
    const fate = this.#chance();
    const pays = fate >= RELEASED_SHARE + LEFT_SHARE + LATE_SHARE;
    const ttlMs = pays || fate < RELEASED_SHARE ? PAYING_TTL_MS : LEAVING_TTL_MS;
    const startedAt = performance.now();
    const outcome = await this.#execute(transactionId, {
      type: 'reserve',
      reservationId,
      storeId,
      transactionId,
      ttlMs,
      items,
    });
    this.#tally.answered((performance.now() - startedAt) * 1_000);
    if (outcome === null) return;
    if (!isSuccess(outcome)) return this.#tally.refuse(outcome.status);
    this.#tally.reserved += 1;
    if (fate >= RELEASED_SHARE && fate < RELEASED_SHARE + LEFT_SHARE) {
      this.#left.push({ reservationId, dueAt: this.#application.now() + ttlMs });
      return;
    }
    const late = !pays && fate >= RELEASED_SHARE;
    await delay(late ? LEAVING_TTL_MS + 500 : this.#chance() * PAYMENT_MS_MAX);
    if (!pays && !late) await this.#release(transactionId, reservationId);
    else await this.#pay(transactionId, reservationId, items);
  }

  #basket(): { storeId: string; items: Item[] } {
    const store = this.#storeLottery.draw(this.#chance);
    const lines = LINES_PER_SALE[Math.floor(this.#chance() * LINES_PER_SALE.length)] as number;
    const items = new Map<string, Item>();
    for (let line = 0; line < lines; line += 1) {
      const { storeId, productId } = store.lottery.draw(this.#chance);
      const price = this.#chain.products.get(productId)?.price ?? 0;
      items.set(productId, { storeId, productId, quantity: this.#chance() < 0.8 ? 1 : 2, price });
    }
    return { storeId: store.storeId, items: [...items.values()] };
  }

  async #release(transactionId: string, reservationId: string): Promise<void> {
    const outcome = await this.#execute(`${transactionId}-release`, { type: 'release', reservationId });
    if (outcome !== null && isSuccess(outcome)) this.#tally.released += 1;
  }

  async #pay(transactionId: string, reservationId: string, items: readonly Item[]): Promise<void> {
    const command: Command = { type: 'confirm', reservationId, orderId: `order-${transactionId}`, keepRest: false };
    const outcome = await this.#execute(`${transactionId}-confirm`, command);
    if (outcome === null) return;
    if (outcome.status !== 'confirmed') {
      this.#tally.expired += 1;
      this.#tally.paidTooLate += 1;
      return;
    }
    this.#tally.confirmed += 1;
    if (outcome.late) this.#tally.confirmedLate += 1;
    for (const { productId, quantity, price } of items) {
      const category = this.#chain.products.get(productId)?.category ?? 'other';
      this.#tally.sell(category, quantity, quantity * (price ?? 0));
    }
  }

  /** Every store once a round: goods arrive in the HQ pool and are distributed to the shelves that sell. */
  async #driveLorries(): Promise<void> {
    const pauseMs = ROUND_MS / this.#stores.length;
    for (let turn = 0; !this.#stopped; turn += 1) {
      await delay(pauseMs);
      await this.#deliver(this.#stores[turn % this.#stores.length] as Store).catch(() => {
        this.#tally.failed += 1;
      });
    }
  }

  async #deliver({ storeId, weight, shelves }: Store): Promise<void> {
    const weightOfStores = this.#stores.reduce((sum, store) => sum + store.weight, 0);
    const weightOfShelves = shelves.reduce((sum, { productId }) => sum + (this.#productWeights.get(productId) ?? 0), 0);
    const unitsPerSale = 1.57 * 1.2;
    const load = this.#rate * (ROUND_MS / 1_000) * unitsPerSale * COVERED_SHARE * (weight / weightOfStores);
    const items = shelves.flatMap(({ productId }) => {
      const share = (this.#productWeights.get(productId) ?? 0) / weightOfShelves;
      const quantity = Math.round(load * share * 2 * this.#chance());
      return quantity === 0 ? [] : [{ storeId: HQ_POOL, productId, quantity }];
    });
    if (items.length === 0) return;
    this.#deliveries += 1;
    const received = await this.#execute(`delivery-${this.#deliveries}`, { type: 'receive', items });
    if (received?.status === 'done') for (const item of items) this.#tally.unitsDelivered += item.quantity;
    const command: Command = { type: 'distribute', storeId, items, reason: 'replenishment' };
    await this.#execute(`distribution-${this.#deliveries}`, command);
  }

  /** Null: it could not be done, or it cannot be told. */
  async #execute(operationId: string, command: Command): Promise<Outcome | null> {
    const request = { ...DEMO, hqId: HQ_ID, operationId, fingerprint: operationId, command };
    const execution = await this.#application.executor.execute(request);
    if (execution.status === 'recorded') return execution.entry.outcome;
    if (execution.status === 'observed') return execution.outcome;
    this.#tally.failed += 1;
    return null;
  }
}
