/**
 * Clients that sell over HTTP and keep every answer: an operation that got none, or none for certain, is repeated
 * under its id until it has one.
 */
import { setTimeout as delay } from 'node:timers/promises';

export const HQ = 'HQ001';
export const STORES = ['S1', 'S2', 'S3'];
export const PRODUCTS = Array.from({ length: 12 }, (_, index) => `P${index}`);

const REQUEST_MS_MAX = 5_000;
const RETRY_MS = 30;
const TRIES_MAX = 100;

export interface TillOptions {
  /** Between two sales of one seller. */
  thinkMs?: number;
  /** A request that is not answered by then is sent again. */
  requestMsMax?: number;
}

/** How much was remembered at some time. */
export interface TillMark {
  acknowledged: number;
  reservations: number;
  received: ReadonlyMap<string, number>;
}

interface Answer {
  status: number;
  text: string;
  replayed: boolean;
}

export interface Acknowledged {
  operationId: string;
  method: string;
  path: string;
  body: Record<string, unknown>;
  answer: Answer;
}

interface ReservationView {
  reservationId: string;
  items: { productId: string; storeId: string; reserved: number; confirmed: number; released: number }[];
  status: string;
}

/** What all tills together have been told. */
export class Till {
  readonly acknowledged: Acknowledged[] = [];
  /** Requests that were sent again because nobody knew what became of them. */
  repeats = 0;
  readonly received = new Map<string, number>();
  readonly reservations: string[] = [];
  readonly #urls: readonly string[];
  readonly #token: string;
  readonly #options: Required<TillOptions>;
  #next = 1;
  #sent = 0;
  stopped = false;
  /** Why the last request that got no answer got none. */
  refusal = '';

  /** `urls`: of nodes that are asked in turn, so that a repeated request reaches another one. */
  constructor(urls: readonly string[], token: string, options: TillOptions = {}) {
    this.#urls = urls;
    this.#token = token;
    this.#options = { thinkMs: 0, requestMsMax: REQUEST_MS_MAX, ...options };
  }

  mark(): TillMark {
    const { acknowledged, reservations, received } = this;
    return { acknowledged: acknowledged.length, reservations: reservations.length, received: new Map(received) };
  }

  /** What was told since then is not asked for. */
  forgetSince({ acknowledged, reservations, received }: TillMark): void {
    this.acknowledged.length = acknowledged;
    this.reservations.length = reservations;
    this.received.clear();
    for (const [productId, quantity] of received) this.received.set(productId, quantity);
  }

  /** One answer, or null when it is not known what became of the request. */
  async send(method: string, path: string, body?: unknown): Promise<Answer | null> {
    const url = this.#urls[this.#sent++ % this.#urls.length];
    try {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
        signal: AbortSignal.timeout(this.#options.requestMsMax),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (response.status === 503 || response.status === 504) {
        this.refusal = text;
        return null;
      }
      return { status: response.status, text, replayed: response.headers.get('idempotent-replayed') === 'true' };
    } catch (error) {
      this.refusal = String(error);
      return null;
    }
  }

  /** Repeats it until it is answered for certain, and remembers the answer. */
  async perform(method: string, path: string, fields: Record<string, unknown>): Promise<Answer> {
    const operationId = `till-${this.#next++}`;
    const body = { ...fields, transactionId: operationId };
    for (;;) {
      const answer = await this.send(method, path, body);
      if (answer !== null) {
        this.acknowledged.push({ operationId, method, path, body, answer });
        return answer;
      }
      this.repeats += 1;
      await delay(RETRY_MS);
    }
  }

  async receive(storeId: string, productId: string, quantity: number): Promise<void> {
    const path = `/api/v1/admin/inventory/${productId}/add`;
    const { status, text } = await this.perform('POST', path, { quantity, storeId });
    if (status !== 200) throw new Error(`receiving is answered ${status}: ${text}`);
    this.received.set(productId, (this.received.get(productId) ?? 0) + quantity);
  }

  /** Reserves, then confirms the whole or a part, or releases, or lets it expire. */
  async sell(): Promise<void> {
    const storeId = pick(STORES);
    const items = [pick(PRODUCTS), pick(PRODUCTS)].map((productId) => ({
      productId,
      quantity: 1 + Math.floor(Math.random() * 3),
    }));
    const ttlMs = pick([1_000, 3_000, 8_000]);
    const { status, text } = await this.perform('POST', '/api/v1/inventory/reserve', { storeId, items, ttlMs });
    if (status === 409) return;
    if (status !== 201) throw new Error(`a reservation is answered ${status}: ${text}`);
    const { reservationId } = JSON.parse(text) as ReservationView;
    this.reservations.push(reservationId);
    const path = `/api/v1/inventory/reserve/${reservationId}`;
    const fate = Math.random();
    if (fate < 0.5) await this.perform('POST', `${path}/confirm`, { orderId: `O-${reservationId}` });
    else if (fate < 0.65) {
      const [item] = items;
      await this.perform('POST', `${path}/confirm`, {
        orderId: 'O',
        items: [{ productId: item?.productId, quantity: 1 }],
        keepRest: fate < 0.58,
      });
    } else if (fate < 0.8) await this.perform('POST', `${path}/extend`, { ttlMs: 2_000 });
    else if (fate < 0.9) while ((await this.send('DELETE', path)) === null) await delay(RETRY_MS);
  }

  /** Sells until told to stop, now and then receiving. */
  async run(): Promise<void> {
    while (!this.stopped) {
      if (Math.random() < 0.2) await this.receive(pick(STORES), pick(PRODUCTS), 1 + Math.floor(Math.random() * 5));
      else await this.sell();
      if (this.#options.thinkMs > 0) await delay(this.#options.thinkMs);
    }
  }

  async reservation(reservationId: string): Promise<ReservationView> {
    return JSON.parse(await this.get(`/api/v1/inventory/reserve/${reservationId}`)) as ReservationView;
  }

  async get(path: string): Promise<string> {
    const answer = await this.persist('GET', path);
    if (answer?.status !== 200)
      throw new Error(`${path} is answered ${answer?.status ?? this.refusal}: ${answer?.text}`);
    return answer.text;
  }

  /** As `send`, for some time again and again until there is an answer. */
  async persist(method: string, path: string, body?: unknown): Promise<Answer | null> {
    let answer = await this.send(method, path, body);
    for (let tries = 1; answer === null && tries < TRIES_MAX; tries += 1) {
      await delay(RETRY_MS);
      answer = await this.send(method, path, body);
    }
    return answer;
  }
}

/** Tells of stores and products, and receives the first units. */
export async function stock(till: Till): Promise<void> {
  for (const storeId of STORES) await till.send('PUT', `/api/v1/admin/stores/${storeId}`, { name: storeId });
  for (const productId of PRODUCTS) {
    await till.send('PUT', `/api/v1/admin/products/${productId}`, { name: productId });
    for (const storeId of STORES) await till.receive(storeId, productId, 20);
  }
}

function pick<T>(values: readonly T[]): T {
  return values[Math.floor(Math.random() * values.length)] as T;
}
