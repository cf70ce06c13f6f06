/**
 * Which types may come on a topic. The topic decides what a message means; its type must only not contradict it, in
 * whichever spelling: `order.completed`, `OrderCompleted`, `ORDER_COMPLETED`, `com.shop.order.completed.v1`.
 */
import { consumed } from '../../events/catalogue/consumed.ts';
import type { ConsumedTopic } from '../../events/topics.ts';
import { shown } from './foreign-text.ts';

export type TypeProblem = { ok: false; code: 'WRONG_TYPE' | 'UNKNOWN_SCHEMA'; reason: string } | null;

const VERSION_BEHIND = /\.v(\d+)$/i;
const WORD_ENDS = /[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/;
const TYPE_LENGTH_MAX = 256;
const SCHEMA_OF_OURS = /^urn:holdfast:schema:(.+):(\d+)$/;
const SCHEMA_VERSION_BEHIND = /[/:.#-]v(\d+)(?:\.[a-z]+)?$/i;

/** They mean the same. */
const PAID: readonly string[] = ['order.completed', 'order.confirmed'];

/** Types are few, and come with every message. */
const known = new Map<string, TypeProblem>();
const KNOWN_MAX = 1_000;

/** What is wrong with a message's type; null: nothing. One without a type means what its topic means. */
export function typeProblem(topic: ConsumedTopic, type: unknown): TypeProblem {
  if (type === undefined || type === null) return null;
  if (typeof type !== 'string' || type.length > TYPE_LENGTH_MAX) return wrongType(topic, type);
  const id = `${topic} ${type}`;
  const before = known.get(id);
  if (before !== undefined) return before;
  const problem = problemOf(topic, type);
  if (known.size < KNOWN_MAX) known.set(id, problem);
  return problem;
}

function problemOf(topic: ConsumedTopic, type: string): TypeProblem {
  if (!topicsOf(topic).includes(lastWords(type.replace(VERSION_BEHIND, '')))) return wrongType(topic, type);
  return versionProblem(topic, VERSION_BEHIND.exec(type)?.[1], `the type ${shown(type)}`);
}

function topicsOf(topic: ConsumedTopic): readonly string[] {
  return PAID.includes(topic) ? PAID : [topic];
}

/** Every consumed topic has two words. */
function lastWords(type: string): string {
  return type.split(WORD_ENDS).slice(-2).join('.').toLowerCase();
}

/**
 * What is wrong with a message's `dataschema`. Only a version behind it tells us anything: of our own URNs, and of
 * any other address that ends in one (`…/v2`, `….v2.json`).
 */
export function schemaProblem(topic: ConsumedTopic, schema: unknown): TypeProblem {
  if (typeof schema !== 'string' || schema.length > TYPE_LENGTH_MAX) return null;
  const ours = SCHEMA_OF_OURS.exec(schema);
  if (ours !== null && !topicsOf(topic).includes(ours[1] as string)) {
    return { ok: false, code: 'UNKNOWN_SCHEMA', reason: `dataschema is ${shown(schema)}, which is none of ${topic}` };
  }
  const version = ours?.[2] ?? SCHEMA_VERSION_BEHIND.exec(schema)?.[1];
  return versionProblem(topic, version, `dataschema ${shown(schema)}`);
}

function versionProblem(topic: ConsumedTopic, version: string | undefined, where: string): TypeProblem {
  const newest = consumed[topic].version;
  if (version === undefined || (Number(version) >= 1 && Number(version) <= newest)) return null;
  const reason = `${where} names a version that is not known here; of ${topic} there is version ${newest}`;
  return { ok: false, code: 'UNKNOWN_SCHEMA', reason };
}

function wrongType(topic: ConsumedTopic, type: unknown): TypeProblem {
  const reason = `the type is ${shown(type)}, but on this topic it must be ${topic} in one of its spellings`;
  return { ok: false, code: 'WRONG_TYPE', reason };
}
