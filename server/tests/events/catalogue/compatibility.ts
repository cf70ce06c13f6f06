/**
 * Whether a schema may stand in the place of one that was released, in the same version: it may only have gained
 * optional fields. Of what is consumed it may also have become more tolerant, for those who write it lose nothing.
 */
import avro, { type Schema, type Type } from 'avsc';
import type { AvroSchema, EventSchemas, JsonSchema } from '../../../src/events/catalogue/schemas.ts';

/** A sentence for each fault, with what to do; none: it may. */
export function incompatibilities(released: EventSchemas, now: EventSchemas): string[] {
  const inJson = jsonFaults(released.json, now.json, { path: '', tolerant: now.direction === 'consumed' });
  const inAvro = [...avroFaults(released.avro, now.avro), ...resolverFaults(released.avro, now.avro)];
  return [...inJson.map((fault) => `in JSON ${fault}`), ...inAvro.map((fault) => `in Avro ${fault}`)].map(
    (fault) =>
      `${now.topic} ${now.version}: ${fault}. Within a version a schema only gains optional fields: take the change ` +
      `back, or make it version ${now.version + 1} and leave this one beside it.`,
  );
}

interface Place {
  path: string;
  /** Whether it may accept more than before. */
  tolerant: boolean;
}

function jsonFaults(old: JsonSchema, now: JsonSchema, place: Place): string[] {
  const own = [...typeFaults(old, now, place), ...boundFaults(old, now, place)];
  const items = old.items && now.items ? jsonFaults(old.items, now.items, { ...place, path: `${place.path}[]` }) : [];
  return [...own, ...fieldFaults(old, now, place), ...items];
}

function typeFaults(old: JsonSchema, now: JsonSchema, { path, tolerant }: Place): string[] {
  const [before, after] = [[old.type].flat(), [now.type].flat()];
  const lost = before.filter((type) => !after.includes(type));
  const gained = tolerant ? [] : after.filter((type) => !before.includes(type));
  if (lost.length === 0 && gained.length === 0) return [];
  return [`the field ${nameOf(path)} was ${before.join(' or ')} and is ${after.join(' or ')}`];
}

function fieldFaults(old: JsonSchema, now: JsonSchema, { path, tolerant }: Place): string[] {
  const [before, after] = [old.properties ?? {}, now.properties ?? {}];
  const inside = (name: string) => (path === '' ? name : `${path}.${name}`);
  const faults = Object.entries(before).flatMap(([name, schema]) => {
    const successor = after[name];
    if (successor === undefined) return [`the field ${nameOf(inside(name))} is gone (removed, or renamed)`];
    const [was, is] = [isRequired(old, name), isRequired(now, name)];
    const need = `the field ${nameOf(inside(name))} was ${was ? 'required' : 'optional'} and is no more`;
    return [
      ...(was === is || (tolerant && was) ? [] : [need]),
      ...jsonFaults(schema, successor, { path: inside(name), tolerant }),
    ];
  });
  const fresh = Object.keys(after).filter((name) => before[name] === undefined && isRequired(now, name));
  return [...faults, ...fresh.map((name) => `the new field ${nameOf(inside(name))} is required`)];
}

const isRequired = ({ required = [] }: JsonSchema, name: string) => required.includes(name);

const LOWER = ['minimum', 'minLength', 'minItems'] as const;
const UPPER = ['maximum', 'maxLength', 'maxItems'] as const;
const EXACT = ['pattern', 'format', 'const'] as const;

function boundFaults(old: JsonSchema, now: JsonSchema, { path, tolerant }: Place): string[] {
  const wider = (name: keyof JsonSchema): boolean => {
    const [before, after] = [old[name], now[name]];
    if (!tolerant || before === undefined) return false;
    if (after === undefined) return true;
    if ((LOWER as readonly string[]).includes(name)) return (after as number) < (before as number);
    return (UPPER as readonly string[]).includes(name) && (after as number) > (before as number);
  };
  return [...LOWER, ...UPPER, ...EXACT]
    .filter((name) => old[name] !== now[name] && !wider(name))
    .map((name) => `the ${name} of ${nameOf(path)} was ${old[name] ?? 'none'} and is ${now[name] ?? 'none'}`);
}

const nameOf = (path: string) => JSON.stringify(path);

/** What no resolver minds: an optional field that is gone is read as null for ever. */
function avroFaults(old: AvroSchema, now: AvroSchema): string[] {
  const [before, after] = [avroTypes(old, ''), avroTypes(now, '')];
  return [...before].flatMap(([path, type]) => {
    const is = after.get(path);
    if (is === type) return [];
    return [`the field ${nameOf(path)} was ${type} and is ${is ?? 'gone (removed, or renamed)'}`];
  });
}

/** The type of each field, by its path. */
function avroTypes(schema: AvroSchema, path: string): Map<string, string> {
  if (typeof schema === 'string') return new Map([[path, schema]]);
  if (Array.isArray(schema)) {
    const types = avroTypes(schema[1], path);
    return types.set(path, `null or ${types.get(path)}`);
  }
  if (schema.type === 'array') return new Map([...avroTypes(schema.items, `${path}[]`), [path, 'array']]);
  const fields = schema.fields.flatMap(({ name, type }) => [
    ...avroTypes(type, path === '' ? name : `${path}.${name}`),
  ]);
  return new Map([...fields, [path, `record ${schema.name}`]]);
}

/** Whoever has one of the two reads what was written with the other, in the judgement of Avro's own library. */
function resolverFaults(old: AvroSchema, now: AvroSchema): string[] {
  const [before, after] = [old, now].map((schema) => avro.Type.forSchema(schema as Schema)) as [Type, Type];
  const faultOf = (reader: Type, writer: Type, what: string) => {
    try {
      reader.createResolver(writer);
      return [];
    } catch (error) {
      return [`${what} (${(error as Error).message.split('\n')[0]})`];
    }
  };
  return [
    ...faultOf(after, before, 'a reader with this schema cannot read what was written before'),
    ...faultOf(before, after, 'a reader with the released schema cannot read what is written with this one'),
  ];
}
