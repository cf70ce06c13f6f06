/**
 * What a schema registry is told: for each topic that we publish to, the schema of its values, under the subject
 * `<topic>-value`. Topics that we consume are others' to register: a schema belongs to who writes it.
 */
import { type EventSchemas, eventSchemas, type JsonSchema } from '../catalogue/schemas.ts';
import type { TopicNames } from '../topics.ts';

export interface Subject {
  name: string;
  schemaType: 'JSON' | 'AVRO';
  schema: string;
  /**
   * FULL: every reader reads every version. In JSON Schema no new field can be FULL or BACKWARD as long as fields that
   * it does not name may be there: an older value could hold anything under that name. FORWARD, which readers of the
   * past rely on, takes new fields and refuses removed and retyped ones. That none is required is held by our own test.
   */
  compatibility: 'FULL' | 'FORWARD';
}

/** Everything but this is a CloudEvent in JSON. */
const IN_AVRO = 'stock.sync.alert';

export function subjectsOf(names: TopicNames): Subject[] {
  return eventSchemas()
    .filter(({ direction }) => direction === 'published')
    .map((schemas) => {
      const name = `${names.ofType(schemas.topic)}-value`;
      if (schemas.topic === IN_AVRO) {
        return { name, schemaType: 'AVRO', schema: JSON.stringify(schemas.avro), compatibility: 'FULL' };
      }
      return { name, schemaType: 'JSON', schema: JSON.stringify(cloudEventOf(schemas)), compatibility: 'FORWARD' };
    });
}

/** Apicurio Registry stores schemas of 2020-12, but compares none of them (3.0.9). What we use is the same in both. */
const JSON_SCHEMA = 'http://json-schema.org/draft-07/schema#';
const TEXT: JsonSchema = { type: 'string' };

/** The whole value: the attributes of the CloudEvent with the event's data. */
function cloudEventOf({ topic, json: { $schema: _, $id, title, ...data } }: EventSchemas): object {
  const properties: Record<string, JsonSchema> = {
    specversion: { type: 'string', const: '1.0' },
    id: TEXT,
    source: TEXT,
    type: { type: 'string', const: topic },
    subject: TEXT,
    time: { type: 'string', format: 'date-time' },
    datacontenttype: { type: 'string', const: 'application/json' },
    dataschema: { type: 'string', const: String($id) },
    sequence: TEXT,
    correlationid: TEXT,
    causationid: TEXT,
    partitionkey: TEXT,
    data,
  };
  return { $schema: JSON_SCHEMA, title, type: 'object', required: Object.keys(properties), properties };
}
