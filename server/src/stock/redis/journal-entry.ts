/** The fields of a journal entry, as `append.lua` writes them, and the entry that they make. */
import { hash } from 'node:crypto';
import type { Entry } from '../entry.ts';
import { decodeEntry } from '../entry-codec.ts';
import type { RedisReply } from './redis-connection.ts';

export interface JournalEntry {
  epoch: number;
  seq: number;
  version: string;
  mark: string;
  at: string;
  request: string;
  decision: string;
}

/** One element of the reply to XRANGE; null: it is not what the scripts write. */
export function journalEntryOf(reply: RedisReply): JournalEntry | null {
  const [id, fields] = reply as [string, string[]];
  const [epoch, seq] = id.split('-').map(Number) as [number, number];
  const values: Record<string, string> = {};
  for (let index = 0; index + 1 < fields.length; index += 2)
    values[fields[index] as string] = fields[index + 1] as string;
  const { version, mark, at, request, decision } = values;
  if (!version || !mark || !at || !request || !decision) return null;
  return { epoch, seq, version, mark, at, request, decision };
}

/** What an entry's mark must be when it follows the entry with this mark. No field holds a line break. */
export function chainedMark(markBefore: string, entry: JournalEntry): string {
  const { epoch, seq, version, at, request, decision } = entry;
  const texts = `${sha1(request)}\n${sha1(decision)}`;
  return sha1(`${markBefore}\n${version}\n${epoch}-${seq}\n${at}\n${texts}`);
}

/** @throws UnknownEntryVersion, SyntaxError */
export function entryOf(partition: number, { epoch, seq, version, at, request, decision }: JournalEntry): Entry {
  return decodeEntry(
    `{"version":${version},"partition":${partition},"epoch":${epoch},"seq":${seq},"at":${at},"duplicateOf":null` +
      `,${request},${decision}}`,
  );
}

function sha1(text: string): string {
  return hash('sha1', text, 'hex');
}
