/** What is wrong with the data of an event, in one sentence for whoever has to put it right. */
import type { TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { consumed } from '../../events/catalogue/consumed.ts';
import type { ConsumedTopic } from '../../events/topics.ts';
import { ID_PATTERN } from '../../stock/identifiers.ts';
import { ID_LENGTH_MAX, LINES_MAX } from '../../stock/limits.ts';
import { shown } from './foreign-text.ts';
import type { Fields } from './read-envelope.ts';

const topics = Object.keys(consumed) as ConsumedTopic[];
const validators = new Map(topics.map((topic) => [topic, Compile(consumed[topic].data as TSchema)] as const));

/** The parts of JSON Schema that the schemas of consumed events are made of. */
interface Part {
  type?: string | readonly string[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
}

/** Null: it fits its schema. */
export function dataProblem(topic: ConsumedTopic, data: Fields): string | null {
  const { items } = data;
  // To tell what is wrong every line is looked at: 26 000 of them took a second.
  if (Array.isArray(items) && items.length > LINES_MAX) return problem('items', items, demandOfLines(1, LINES_MAX));
  const validator = validators.get(topic) as Validator;
  if (validator.Check(data)) return null;
  const [first] = validator.Errors(data);
  if (first === undefined) throw new Error(`the schema of ${topic} refuses data and does not say why`);
  const path = first.instancePath.split('/').slice(1);
  if (first.keyword === 'required') {
    const [missing] = (first.params as { requiredProperties: string[] }).requiredProperties;
    return `${placeOf([...path, missing as string])} is absent`;
  }
  const schema = at(consumed[topic].data, first.schemaPath.split('/').slice(1)) as Part;
  return problem(placeOf(path), at(data, path), demandOf(schema));
}

function problem(place: string, value: unknown, demand: string): string {
  return `${place} is ${shown(value)}, but it must be ${demand}`;
}

/** `items[2].quantity` */
function placeOf(path: readonly string[]): string {
  return path.map((part, index) => (/^\d+$/.test(part) ? `[${part}]` : `${index === 0 ? '' : '.'}${part}`)).join('');
}

/** Paths come from the schemas, so that no part of them is foreign. */
function at(root: unknown, path: readonly string[]): unknown {
  return path.reduce((value, part) => (value as Record<string, unknown>)[part], root);
}

function demandOfLines(min: number | undefined, max: number | undefined): string {
  return `a list of ${min} to ${max} lines`;
}

function demandOf({ type, pattern, minimum, maximum, maxLength, minItems, maxItems }: Part): string {
  const [kind] = [type].flat();
  if (kind === 'integer') return `a whole number from ${minimum} to ${maximum}`;
  if (kind === 'array') return demandOfLines(minItems, maxItems);
  if (kind === 'object') return 'an object';
  if (pattern === ID_PATTERN) return `1 to ${ID_LENGTH_MAX} letters, digits, dots, underscores and hyphens`;
  return maxLength === undefined ? 'text' : `text of at most ${maxLength} characters without control characters`;
}
