/**
 * Tells a schema registry that speaks Confluent's API which schemas our events have. Stock never waits for it, and
 * events are published whether it answers or not.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TopicNames } from '../topics.ts';
import { type Subject, subjectsOf } from './subjects.ts';

const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 30_000;
const REQUEST_MS_MAX = 5_000;
/** Apicurio Registry refuses all but one of those that begin the same subject at the same moment: asked again, it does not. */
const REFUSALS_MAX = 3;
const CONTENT_TYPE = 'application/vnd.schemaregistry.v1+json';
const REASON_LENGTH_MAX = 500;
/** Worth trying again though they are the caller's fault by their number: timed out, too many requests. */
const PASSING = new Set([408, 429]);

export interface SchemaRegistrationParts {
  /** `SCHEMA_REGISTRY_URL`; may hold `user:password@`. */
  url: string;
  names: TopicNames;
  log: { info(message: string): void; warn(message: string): void };
}

/** `SCHEMA_REGISTRY_URL` cannot be used; its text is not repeated, for it may hold a password. */
export class WrongRegistryUrl extends Error {
  constructor() {
    super(
      'SCHEMA_REGISTRY_URL is no address of the form http(s)://[user:password@]host[:port]/path: give the one of the ' +
        "registry's Confluent API, such as http://registry:8080/apis/ccompat/v7.",
    );
    this.name = 'WrongRegistryUrl';
  }
}

/** The registry will not have this schema. */
class Refused extends Error {}

/** It will have none of ours: the wrong address, or the wrong user. */
class Unusable extends Error {}

/** What it answers about a schema: it is not compatible, or no schema. */
const OF_A_SCHEMA = new Set([409, 422]);

export interface SchemaRegistration {
  /** What a person reads while schemas are not registered; null: they are, or are being. */
  degraded(): string | null;
  close(): Promise<void>;
}

/**
 * Begins to register every schema, and goes on by itself until each is registered or refused. To register what is there
 * already changes nothing.
 * @throws WrongRegistryUrl
 */
export function registerSchemas(parts: SchemaRegistrationParts): SchemaRegistration {
  return new Registration(parts);
}

class Registration implements SchemaRegistration {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #log: SchemaRegistrationParts['log'];
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  readonly #refused: string[] = [];
  #unusable = false;
  #away: string | null = null;

  constructor({ url, names, log }: SchemaRegistrationParts) {
    const place = placeOf(url);
    this.#url = place.url;
    this.#headers = { ...place.authorization, 'content-type': CONTENT_TYPE, accept: CONTENT_TYPE };
    this.#log = log;
    this.#running = this.#run(subjectsOf(names));
  }

  degraded(): string | null {
    if (this.#away !== null) return `schema registry: ${this.#away}`;
    if (this.#unusable) return 'schema registry: it cannot be used as it is (the log says why)';
    if (this.#refused.length > 0) return `schema registry: refuses ${this.#refused.join(', ')} (the log says why)`;
    return null;
  }

  async close(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  async #run(subjects: Subject[]): Promise<void> {
    const left = [...subjects];
    let [retryMs, refusals] = [RETRY_MS_MIN, 0];
    while (left[0] !== undefined && !this.#ended.signal.aborted) {
      try {
        await this.#register(left[0]);
        left.shift();
        this.#away = null;
        [retryMs, refusals] = [RETRY_MS_MIN, 0];
      } catch (error) {
        if (this.#ended.signal.aborted) return;
        if (error instanceof Unusable) return this.#giveUp(error.message);
        refusals = error instanceof Refused ? refusals + 1 : 0;
        if (refusals === REFUSALS_MAX) {
          this.#refuse(left.shift() as Subject, (error as Error).message);
          [retryMs, refusals] = [RETRY_MS_MIN, 0];
          continue;
        }
        if (refusals === 0) this.#missed((error as Error).message);
        await sleep(retryMs, undefined, { signal: this.#ended.signal, ref: false }).catch(() => undefined);
        retryMs = Math.min(2 * retryMs, RETRY_MS_MAX);
      }
    }
    const registered = subjects.length - left.length - this.#refused.length;
    if (!this.#ended.signal.aborted) this.#log.info(`${registered} event schemas are registered at ${this.#url}`);
  }

  #missed(reason: string): void {
    if (this.#away === null)
      this.#log.warn(`the schema registry is away, and is tried again until it answers: ${reason}`);
    this.#away = reason;
  }

  #giveUp(reason: string): void {
    this.#away = null;
    this.#unusable = true;
    this.#log.warn(
      `event schemas are not registered, and the schema registry is not asked again before the next start: ${reason}. ` +
        'Events are published all the same. See to it that SCHEMA_REGISTRY_URL is the address of an API like ' +
        "Confluent's, with a user who may write there.",
    );
  }

  #refuse({ name, schemaType }: Subject, reason: string): void {
    this.#away = null;
    this.#refused.push(name);
    this.#log.warn(
      `the schema registry refuses our schema (${schemaType}) of the subject ${name}, and is not asked again before the ` +
        `next start: ${reason}. Events are published all the same. If somebody else registered that subject, rename ` +
        'our topic (TOPIC_PREFIX, TOPIC_MAP) or remove theirs; if it is ours, this release and the one that ' +
        'registered it do not belong together.',
    );
  }

  /** An own level of compatibility, if the operator gave one, stays. */
  async #register({ name, schemaType, schema, compatibility }: Subject): Promise<void> {
    const subject = encodeURIComponent(name);
    const found = await this.#ask('GET', `/config/${subject}`);
    if (found === null) await this.#ask('PUT', `/config/${subject}`, { compatibility });
    const answer = await this.#ask('POST', `/subjects/${subject}/versions`, { schemaType, schema });
    if (answer === null) throw new Unusable(`${this.#url} knows no subjects`);
  }

  /** Null: 404. @throws Refused, Unusable; Error when it may go better another time */
  async #ask(method: string, path: string, body?: object): Promise<unknown> {
    const signal = AbortSignal.any([this.#ended.signal, AbortSignal.timeout(REQUEST_MS_MAX)]);
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const answer = await fetch(this.#url + path, { method, headers: this.#headers, signal, ...sent }).catch((error) => {
      throw new Error(`${this.#url} does not answer (${reasonOf(error)})`);
    });
    const text = await answer.text();
    if (answer.ok) return text;
    if (answer.status === 404) return null;
    const what = `it answers ${method} ${path} with ${answer.status}: ${text.slice(0, REASON_LENGTH_MAX)}`;
    if (answer.status >= 500 || PASSING.has(answer.status)) throw new Error(what);
    throw OF_A_SCHEMA.has(answer.status) ? new Refused(what) : new Unusable(what);
  }
}

/** `fetch` takes no credentials in an address, and whatever is told of it should have none. */
function placeOf(text: string): { url: string; authorization: Record<string, string> } {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) throw new WrongRegistryUrl();
  const { username, password } = url;
  url.username = '';
  url.password = '';
  const place = `${url.origin}${url.pathname}`.replace(/\/+$/, '');
  if (username === '' && password === '') return { url: place, authorization: {} };
  const credentials = `${decoded(username)}:${decoded(password)}`;
  return { url: place, authorization: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` } };
}

/** A percent sign that stands for itself makes it no encoded text. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new WrongRegistryUrl();
  }
}

function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  if (cause instanceof AggregateError && cause.errors.length > 0) return reasonOf(cause.errors.at(-1));
  return cause === undefined ? message : reasonOf(cause);
}
