/** The schemas of every event in the forms that others read: JSON Schema and Avro, both made of the catalogue's one. */
import { published } from './catalogue.ts';
import { consumed } from './consumed.ts';

const JSON_SCHEMA = 'https://json-schema.org/draft/2020-12/schema';
const AVRO_NAMESPACE = 'holdfast';

/** What is used of JSON Schema in the catalogue. */
export interface JsonSchema {
  $schema?: string;
  $id?: string;
  title?: string;
  description?: string;
  type: string | [string, 'null'];
  format?: string;
  pattern?: string;
  const?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  required?: string[];
}

export type AvroSchema =
  | 'string'
  | 'long'
  | 'double'
  | 'boolean'
  | ['null', AvroSchema]
  | { type: 'array'; items: AvroSchema }
  | AvroRecord;

export interface AvroRecord {
  type: 'record';
  name: string;
  namespace?: string;
  fields: { name: string; type: AvroSchema; default?: null; doc?: string }[];
}

export interface EventSchemas {
  topic: string;
  version: number;
  direction: 'published' | 'consumed';
  /** Of `data`. Fields that it does not name may be there. */
  json: JsonSchema;
  /** Of `data`. */
  avro: AvroRecord;
}

export function eventSchemas(): EventSchemas[] {
  return [...schemasOf('consumed', consumed), ...schemasOf('published', published)];
}

type Events = Record<string, { version: number; data: object }>;

function schemasOf(direction: EventSchemas['direction'], events: Events): EventSchemas[] {
  return Object.entries(events).map(([topic, { version, data }]) => {
    // What TypeBox keeps beside the schema is not enumerable.
    const schema = JSON.parse(JSON.stringify(data)) as JsonSchema;
    const json = { $schema: JSON_SCHEMA, $id: dataSchemaOf(topic, version), title: topic, ...schema };
    return { topic, version, direction, json, avro: avroOf(topic, version, schema) };
  });
}

/** What an event's `dataschema` says. */
export function dataSchemaOf(topic: string, version: number): string {
  return `urn:holdfast:schema:${topic}:${version}`;
}

function avroOf(topic: string, version: number, schema: JsonSchema): AvroRecord {
  const name = topic.split('.').map(capitalised).join('') + (version === 1 ? '' : `V${version}`);
  const { type, fields } = recordOf(schema, name);
  return { type, name, namespace: AVRO_NAMESPACE, fields };
}

function recordOf({ properties = {}, required = [] }: JsonSchema, name: string): AvroRecord {
  const fields = Object.entries(properties).map(([field, schema]) => {
    const type = typeOf(schema, name + capitalised(field));
    const doc = schema.description === undefined ? {} : { doc: schema.description };
    if (required.includes(field)) return { name: field, type, ...doc };
    return { name: field, type: ['null', type] as ['null', AvroSchema], default: null, ...doc };
  });
  return { type: 'record', name, fields };
}

/** Whether null is among the types is not told: whatever may be null may be absent as well. */
function typeOf(schema: JsonSchema, name: string): AvroSchema {
  const [type] = [schema.type].flat();
  switch (type) {
    case 'object':
      return recordOf(schema, name);
    case 'array':
      if (schema.items === undefined) break;
      return { type: 'array', items: typeOf(schema.items, name) };
    case 'integer':
      // None passes 2⁵³, so a reader that makes a double of it loses nothing.
      return 'long';
    case 'number':
      return 'double';
    case 'string':
    case 'boolean':
      return type;
  }
  throw new Error(
    `the catalogue has a field of the type ${JSON.stringify(schema.type)} (${name}), which has no Avro form`,
  );
}

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
