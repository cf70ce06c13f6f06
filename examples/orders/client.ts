/** What a till or a web shop needs of Holdfast: commands that are safe to repeat, events to hand in, events to hear. */
import { setTimeout as delay } from 'node:timers/promises';

const TRIES_MAX = 10;
const PAUSE_MS = 200;
const ANSWER_MS_MAX = 15_000;
const HEARD_MS_MAX = 30_000;

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what an answer holds is for its caller to know
  body: any;
}

/** An event of Holdfast, as much of it as a shop looks at. */
export interface StockEvent {
  type: string;
  data: {
    orderId?: string;
    reservationId?: string;
    reason?: string;
    items?: { productId: string; quantity: number }[];
  };
}

type IsMeant = (event: StockEvent) => boolean;

export class Client {
  readonly #url: string;
  readonly #token: string;
  readonly #heard: StockEvent[] = [];
  readonly #waiting = new Set<{ isMeant: IsMeant; resolve: (event: StockEvent) => void }>();
  readonly #listening = new AbortController();

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  /**
   * Anything but 503 and 504 is an answer to believe; no answer at all is asked for again under the same id.
   * @throws Error when there is none after ten tries
   */
  async send(method: string, path: string, body?: unknown): Promise<Answer> {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const response = await fetch(`${this.#url}/api/v1${path}`, {
        method,
        headers: { ...this.#headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(ANSWER_MS_MAX),
      }).catch(() => null);
      if (response !== null && response.status !== 503 && response.status !== 504) {
        const text = await response.text();
        return { status: response.status, body: text === '' ? null : JSON.parse(text) };
      }
      await delay(Math.random() * PAUSE_MS * 2 ** tries);
    }
    throw new Error(`no answer to ${method} ${path}`);
  }

  /** The same; any answer but a success is an error. */
  async must(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await this.send(method, path, body);
    if (answer.status < 300) return answer;
    throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }

  /** Hands in an event of ours. Its id is what makes a second one harmless. */
  async publish(topic: string, eventId: string, data: Record<string, unknown>): Promise<void> {
    const message = { eventId, eventType: topic, timestamp: new Date().toISOString(), data };
    await this.must('POST', '/events', { topic, message });
  }

  get #headers(): { authorization: string } {
    return { authorization: `Bearer ${this.#token}` };
  }

  /** From now on every event of the HQ is heard; a stream that breaks is taken up where it broke. */
  async listen(): Promise<void> {
    const { signal } = this.#listening;
    const first = await this.#open(null);
    void (async () => {
      let lastId: string | null = null;
      for (let response: Response | null = first; !signal.aborted; ) {
        try {
          for await (const { id, event } of eventsOf(response ?? (await this.#open(lastId)))) {
            lastId = id;
            this.#hear(event);
          }
        } catch {
          await delay(PAUSE_MS);
        }
        response = null;
      }
    })();
  }

  #open(lastId: string | null): Promise<Response> {
    const headers = lastId === null ? this.#headers : { ...this.#headers, 'last-event-id': lastId };
    return fetch(`${this.#url}/api/v1/events/stream`, { headers, signal: this.#listening.signal });
  }

  #hear(event: StockEvent): void {
    this.#heard.push(event);
    for (const waiting of this.#waiting) {
      if (!waiting.isMeant(event)) continue;
      this.#waiting.delete(waiting);
      waiting.resolve(event);
    }
  }

  /** The first event that is meant, heard already or to come. @throws Error when it does not come */
  async heard(what: string, isMeant: IsMeant): Promise<StockEvent> {
    const already = this.#heard.find(isMeant);
    if (already !== undefined) return already;
    const { promise, resolve, reject } = Promise.withResolvers<StockEvent>();
    this.#waiting.add({ isMeant, resolve });
    const late = setTimeout(
      () => reject(new Error(`${what} was not heard within ${HEARD_MS_MAX / 1_000} s`)),
      HEARD_MS_MAX,
    );
    try {
      return await promise;
    } finally {
      clearTimeout(late);
    }
  }

  close(): void {
    this.#listening.abort();
  }
}

/** Server-sent events: blocks of lines, `id:` and `data:` among them. */
async function* eventsOf({ body }: Response): AsyncGenerator<{ id: string; event: StockEvent }> {
  let text = '';
  for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const lines = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      const field = (name: string) =>
        lines
          .find((line) => line.startsWith(name))
          ?.slice(name.length)
          .trim();
      const data = field('data:');
      if (data !== undefined) yield { id: field('id:') ?? '', event: JSON.parse(data) as StockEvent };
    }
  }
}
