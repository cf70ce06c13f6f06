/** `holdfast events tail`: what happens to stock, or what comes in of a topic, as it happens, a line for each event. */
import { setTimeout as delay } from 'node:timers/promises';
import { styleText } from 'node:util';
import { parseDuration } from '../access/durations.ts';
import { catalogue } from '../events/catalogue/catalogue.ts';
import { consumed } from '../events/catalogue/consumed.ts';
import type { StockEvent } from '../events/event-feed.ts';
import type { ConsumedTopic } from '../events/topics.ts';
import { modeOf } from './configuration.ts';
import type { Environment } from './environment.ts';
import { writtenEvent } from './event-line.ts';
import { CommandFailed, UsageError } from './failures.ts';
import { runningServer } from './installation.ts';
import { printable, printableJson } from './tables.ts';

const PAGE = 500;
const RETRY_MS = 1_000;
/** A day, or a time of one. The parser takes much else for an instant: `12` is December 2001. */
const INSTANT = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/;

export interface TailOptions {
  topic?: string;
  hq?: string;
  since?: string;
  json?: boolean;
}

export async function tailEvents(environment: Environment, options: TailOptions): Promise<void> {
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort());
  // Whoever read us has seen enough.
  process.stdout.on('error', () => ending.abort());
  const { topic } = options;
  if (topic !== undefined && isConsumed(topic)) await tailConsumed(environment, { ...options, topic }, ending.signal);
  else await new Tail(environment, options, ending.signal).run();
}

function isConsumed(topic: string): topic is ConsumedTopic {
  return Object.hasOwn(consumed, topic);
}

async function tailConsumed(
  environment: Environment,
  { topic, hq, since, json = false }: TailOptions & { topic: ConsumedTopic },
  signal: AbortSignal,
): Promise<void> {
  if (modeOf(environment) !== 'cluster') {
    throw new UsageError(
      `--topic is ${topic}, which comes over Kafka, and embedded mode has none: what is handed in by POST /api/v1/events shows in its effects, such as --topic stock.reserved`,
    );
  }
  const { tailTopic } = await import('./topic-tailing.ts');
  await tailTopic(environment, {
    topic,
    since: since === undefined ? null : instantOf(since, Date.now()),
    signal,
    note,
    tell: (message) => {
      if (hq !== undefined && message.hqId !== hq) return;
      const style = message.unreadable ? 'red' : undefined;
      tellLine(json ? printableJson(message.whole) : writtenEvent(message, paint, style));
    },
  });
}

class Tail {
  readonly #environment: Environment;
  readonly #signal: AbortSignal;
  readonly #json: boolean;
  readonly #query: Record<string, string>;
  readonly #since: number | null;
  #cursor: string | null = null;
  /** When it first was; null: not yet. */
  #connectedAt: number | null = null;

  constructor(environment: Environment, { topic, hq, since, json = false }: TailOptions, signal: AbortSignal) {
    this.#environment = environment;
    this.#signal = signal;
    this.#json = json;
    this.#query = { ...(hq === undefined ? {} : { hqId: hq }), ...(topic === undefined ? {} : { type: known(topic) }) };
    this.#since = since === undefined ? null : instantOf(since, Date.now());
  }

  async run(): Promise<void> {
    try {
      if (this.#since !== null) await this.#tellPast(this.#since);
      while (!this.#signal.aborted) await this.#follow();
    } catch (error) {
      if (!this.#signal.aborted) throw error;
    }
  }

  /** Events are found by their place, not by their time, so all before are passed over. */
  async #tellPast(since: number): Promise<void> {
    const server = await runningServer(this.#environment);
    for (;;) {
      const place = this.#cursor === null ? {} : { cursor: this.#cursor };
      const query = new URLSearchParams({ ...this.#query, limit: String(PAGE), ...place });
      const response = await server.get(`/api/v1/events?${query}`, { signal: this.#signal });
      const { items, nextCursor } = (await response.json()) as { items: StockEvent[]; nextCursor: string };
      this.#cursor = nextCursor;
      for (const event of items) if (Date.parse(event.time) >= since) this.#tell(event);
      if (items.length === 0) return;
    }
  }

  /** Until the connection ends. The first one must succeed; whatever ends a later one passes. */
  async #follow(): Promise<void> {
    let why = 'the server closed it';
    try {
      // Nothing was told yet, so there is no place to go on from.
      if (this.#connectedAt !== null && this.#cursor === null) await this.#tellPast(this.#connectedAt);
      const server = await runningServer(this.#environment);
      const headers: Record<string, string> = this.#cursor === null ? {} : { 'last-event-id': this.#cursor };
      const path = `/api/v1/events/stream?${new URLSearchParams(this.#query)}`;
      const response = await server.get(path, { signal: this.#signal, headers });
      if (this.#connectedAt === null) note('Waiting for events; Ctrl-C ends.');
      this.#connectedAt ??= Date.now();
      for await (const { id, data } of blocksOf(response)) {
        this.#tell(JSON.parse(data) as StockEvent);
        this.#cursor = id;
      }
    } catch (error) {
      if (this.#signal.aborted || this.#connectedAt === null) throw error;
      why = (error as Error).message;
    }
    if (this.#signal.aborted) return;
    note(`The connection ended (${printable(why)}); trying again …`);
    await delay(RETRY_MS, undefined, { signal: this.#signal });
  }

  #tell(event: StockEvent): void {
    tellLine(this.#json ? printableJson(event) : writtenEvent(event, paint));
  }
}

function tellLine(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Colours where a person looks, not in a file or a pipe. */
function paint(format: Parameters<typeof styleText>[0], text: string): string {
  return styleText(format, text, { stream: process.stdout });
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

function known(topic: string): string {
  if (Object.hasOwn(catalogue, topic)) return topic;
  throw new UsageError(
    `--topic is ${JSON.stringify(topic)}, but it must be one of ${[...Object.keys(catalogue), ...Object.keys(consumed)].join(', ')}`,
  );
}

/** @returns epoch milliseconds */
function instantOf(since: string, now: number): number {
  const ago = parseDuration(since);
  const named = INSTANT.test(since) ? Date.parse(since) : Number.NaN;
  const instant = ago === null ? named : now - ago;
  if (!Number.isNaN(instant)) return instant;
  throw new UsageError(
    `--since is ${JSON.stringify(since)}, but it must be how long ago (30m, 8h, 7d) or an instant (2026-11-21T10:00:00Z)`,
  );
}

/** The events of a text/event-stream, each with the cursor that resumes after it. */
async function* blocksOf(response: Response): AsyncGenerator<{ id: string; data: string }> {
  let rest = '';
  const decoder = new TextDecoder();
  if (response.body === null) throw new CommandFailed('The server sent no stream.');
  for await (const chunk of response.body) {
    rest += decoder.decode(chunk, { stream: true });
    const blocks = rest.split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const id = fieldOf(block, 'id');
      const data = fieldOf(block, 'data');
      if (id !== undefined && data !== undefined) yield { id, data };
    }
  }
}

function fieldOf(block: string, name: string): string | undefined {
  const line = block.split('\n').find((each) => each.startsWith(`${name}: `));
  return line?.slice(name.length + 2);
}
