import { InvalidCursor } from '../events/event-feed.ts';

/** A place in an ordered list: the key of the last row that was shown. */
export type PageKey = readonly (string | number)[];

/** Opaque to callers: the list's name and the key, so that a cursor of another list is refused. */
export function encodePageCursor(list: string, key: PageKey): string {
  return Buffer.from(JSON.stringify([list, ...key]), 'utf8').toString('base64url');
}

/**
 * @param shape the type of each part of the key, by an example of it
 * @throws InvalidCursor
 */
export function decodePageCursor<T extends PageKey>(list: string, shape: T, cursor: string | null): T | null {
  if (cursor === null) return null;
  const parts = parse(cursor);
  const fits =
    Array.isArray(parts) &&
    parts.length === shape.length + 1 &&
    parts[0] === list &&
    shape.every((example, index) => isLike(parts[index + 1], example)) &&
    encodePageCursor(list, parts.slice(1)) === cursor;
  if (!fits) throw new InvalidCursor();
  return parts.slice(1) as unknown as T;
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
}

function isLike(value: unknown, example: string | number): boolean {
  return typeof example === 'number'
    ? Number.isSafeInteger(value) && (value as number) >= 0
    : typeof value === 'string';
}
