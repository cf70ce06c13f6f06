/**
 * The topics of a broker: their names here, and what an installation calls them. `TOPIC_PREFIX` stands before every
 * name; `TOPIC_MAP` (`order.placed=shop.orders,…`) gives single topics another name, which is taken whole.
 */
import { published } from './catalogue/catalogue.ts';
import { consumed } from './catalogue/consumed.ts';

export const CONSUMED_TOPICS = Object.keys(consumed) as ConsumedTopic[];

const PUBLISHED_TOPICS = Object.keys(published) as (keyof typeof published)[];

const ALL_TOPICS = [...CONSUMED_TOPICS, ...PUBLISHED_TOPICS] as const;
export type Topic = (typeof ALL_TOPICS)[number];
export type ConsumedTopic = keyof typeof consumed;

const DEAD_LETTERS = '.dlq';
/** What Kafka takes as a name. */
const NAME = /^[A-Za-z0-9._-]+$/;
const NAME_LENGTH_MAX = 249;

export interface TopicSettings {
  /** `TOPIC_PREFIX` */
  prefix?: string | undefined;
  /** `TOPIC_MAP` */
  map?: string | undefined;
}

/** A topic cannot be called that: which setting says so, and what it may be. */
export class WrongTopicSettings extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'WrongTopicSettings';
  }
}

export class TopicNames {
  readonly #names: ReadonlyMap<string, string>;

  /** @throws WrongTopicSettings */
  constructor({ prefix = '', map = '' }: TopicSettings = {}) {
    checkPrefix(prefix);
    const renamed = parseMap(map);
    this.#names = new Map(ALL_TOPICS.map((topic) => [topic, renamed.get(topic) ?? prefix + topic]));
    checkDistinct(this.all());
  }

  /** The installation's name of a topic. */
  of(topic: Topic): string {
    return this.ofType(topic);
  }

  /** The topic that events of this type go to. */
  ofType(type: string): string {
    const name = this.#names.get(type);
    if (name === undefined) throw new Error(`there is no topic for events of type ${type}`);
    return name;
  }

  /** Where messages go that a consumer of this topic could not handle. */
  deadLettersOf(topic: Topic): string {
    return this.of(topic) + DEAD_LETTERS;
  }

  /** Every name that must be there, those of dead letters included. */
  all(): string[] {
    return [...this.#names.values()].flatMap((name) => [name, name + DEAD_LETTERS]);
  }
}

function checkPrefix(prefix: string): void {
  const longest = Math.max(...ALL_TOPICS.map((topic) => topic.length)) + DEAD_LETTERS.length;
  if (prefix === '' || (NAME.test(prefix) && prefix.length + longest <= NAME_LENGTH_MAX)) return;
  throw new WrongTopicSettings(
    `TOPIC_PREFIX is ${JSON.stringify(prefix)}, but it may hold only letters, digits, dots, underscores and hyphens, ` +
      `at most ${NAME_LENGTH_MAX - longest} of them, such as "koosco.commerce.".`,
  );
}

function parseMap(map: string): Map<string, string> {
  const renamed = new Map<string, string>();
  for (const part of map.split(',').map((text) => text.trim())) {
    if (part === '') continue;
    const [topic, name, ...rest] = part.split('=').map((text) => text.trim());
    if (topic === undefined || name === undefined || rest.length > 0) {
      throw wrongMap(part, 'it must be of the form topic=name, joined by commas: order.placed=shop.orders');
    }
    if (!(ALL_TOPICS as readonly string[]).includes(topic)) {
      throw wrongMap(part, `there is no topic ${JSON.stringify(topic)}; there are ${ALL_TOPICS.join(', ')}`);
    }
    if (renamed.has(topic)) throw wrongMap(part, `${topic} is named twice; leave one of them`);
    checkName(part, name);
    renamed.set(topic, name);
  }
  return renamed;
}

function checkName(part: string, name: string): void {
  const fits = name.length + DEAD_LETTERS.length <= NAME_LENGTH_MAX;
  if (NAME.test(name) && fits && name !== '.' && name !== '..') return;
  throw wrongMap(
    part,
    `the name of a topic holds letters, digits, dots, underscores and hyphens, at most ${NAME_LENGTH_MAX - DEAD_LETTERS.length}`,
  );
}

/** The topic alone tells what a message means, so no two may share a name. */
function checkDistinct(names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return;
  throw new WrongTopicSettings(
    `TOPIC_PREFIX and TOPIC_MAP give two topics the name ${JSON.stringify(twice)}; give each a name of its own.`,
  );
}

function wrongMap(part: string, why: string): WrongTopicSettings {
  return new WrongTopicSettings(`TOPIC_MAP has ${JSON.stringify(part)}: ${why}.`);
}
