/** The schemas as they were released: a small file of each event and version in `server/src/events/catalogue/released/`. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EventSchemas } from '../../../src/events/catalogue/schemas.ts';
import { incompatibilities } from './compatibility.ts';

const FOLDER = join(import.meta.dirname, '../../../src/events/catalogue/released');

export function releasedSchemas(): EventSchemas[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as EventSchemas);
}

/** What keeps the schemas of now from being released; none: nothing does. */
export function faultsSince(released: readonly EventSchemas[], now: readonly EventSchemas[]): string[] {
  return released.flatMap((old) => {
    const successor = now.find(({ topic, version }) => topic === old.topic && version === old.version);
    if (successor !== undefined) return incompatibilities(old, successor);
    return [
      `${old.topic} ${old.version}: it was released and is not in the catalogue any more. Somebody reads or writes it: ` +
        'put it back; another version stands beside it.',
    ];
  });
}

/** @returns the names of the files that it wrote */
export function release(schemas: readonly EventSchemas[]): string[] {
  return schemas.map((each) => {
    const name = `${each.topic}.v${each.version}.json`;
    writeFileSync(join(FOLDER, name), `${JSON.stringify(each, null, 2)}\n`);
    return name;
  });
}
