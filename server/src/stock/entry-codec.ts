/**
 * The text of an entry: what is hashed, stored and read back. JSON with full words at the top and tuples where
 * bytes matter (levels, totals, lines, items, holds: a basket of 500 lines is one row of about 40 KB). The table
 * of the tuples is in `docs/reference/entries.md`. Written by hand because ids need no escaping:
 * 2.1 µs for a reserve of one line, 2.6 µs and a longer text with `JSON.stringify`.
 */
import type { Command, Item } from './commands.ts';
import {
  ENTRY_VERSION,
  type Entry,
  type Hold,
  type HoldItem,
  type LevelRead,
  type Line,
  type Provenance,
  type Read,
  type TotalsRead,
} from './entry.ts';

export function encodeEntry(entry: Entry): string {
  const { read } = entry;
  return (
    `{"version":${entry.version},"partition":${entry.partition},"epoch":${entry.epoch},"seq":${entry.seq}` +
    `,"at":${entry.at},"hqId":"${entry.hqId}","operationId":${nullable(entry.operationId)}` +
    `,"fingerprint":${JSON.stringify(entry.fingerprint)},"duplicateOf":${entry.duplicateOf}` +
    `,${encodeProvenance(entry)},"command":${encodeCommand(entry.command)}` +
    `,"read":{"levels":[${joined(read.levels, encodeLevel)}],"totals":[${joined(read.totals, encodeTotals)}]` +
    `,"holds":[${joined(read.holds, encodeHold)}]${encodeRareReads(read)}}` +
    `,"outcome":${JSON.stringify(entry.outcome)},"lines":[${joined(entry.lines, encodeLine)}]` +
    `,"holds":[${joined(entry.holds, encodeHold)}]}`
  );
}

function encodeProvenance({ actor, origin, correlationId, causationId }: Provenance): string {
  return (
    `"actor":${JSON.stringify(actor)},"origin":${JSON.stringify(origin)}` +
    `,"correlationId":${JSON.stringify(correlationId)},"causationId":${JSON.stringify(causationId)}`
  );
}

/** The part of an entry's text that is known before its command is decided, without the command and the braces. */
export function encodeRequest(request: Provenance & Pick<Entry, 'hqId' | 'operationId' | 'fingerprint'>): string {
  return (
    `"hqId":"${request.hqId}","operationId":${nullable(request.operationId)}` +
    `,"fingerprint":${JSON.stringify(request.fingerprint)},${encodeProvenance(request)}`
  );
}

/** Ids match `ID_PATTERN` or `OPERATION_ID_PATTERN`, which hold nothing that JSON escapes. */
function nullable(id: string | null): string {
  return id === null ? 'null' : `"${id}"`;
}

function joined<T>(values: readonly T[], encode: (value: T) => string): string {
  if (values.length === 0) return '';
  let text = encode(values[0] as T);
  for (let index = 1; index < values.length; index += 1) text += `,${encode(values[index] as T)}`;
  return text;
}

function encodeLevel(level: LevelRead): string {
  const head = `["${level.storeId}","${level.productId}",${level.onHand},${level.reserved},${level.safetyStock},${level.lowThreshold},${level.version}`;
  return level.lastCount === undefined ? `${head}]` : `${head},${JSON.stringify(level.lastCount)}]`;
}

function encodeTotals(totals: TotalsRead): string {
  return `["${totals.productId}",${totals.onHand},${totals.reserved},${totals.safetyStock}]`;
}

function encodeLine(line: Line): string {
  const head = `[${line.level},${line.onHandChange},${line.reservedChange}`;
  if (line.settings !== undefined) return `${head},null,${line.settings.safetyStock},${line.settings.lowThreshold}]`;
  return line.hold === undefined ? `${head}]` : `${head},${line.hold}]`;
}

function encodeItem(item: Item): string {
  const head = `["${item.storeId}","${item.productId}",${item.quantity}`;
  return item.price === undefined ? `${head}]` : `${head},${item.price}]`;
}

function encodeHoldItem(item: HoldItem): string {
  const head = `["${item.storeId}","${item.productId}",${item.reserved},${item.confirmed},${item.released}`;
  return item.price === undefined ? `${head}]` : `${head},${item.price}]`;
}

/** A hold as it stands in an entry; tables of holds keep the same text. */
export function encodeHold(hold: Hold): string {
  return (
    `["${hold.reservationId}","${hold.storeId}","${hold.transactionId}",${nullable(hold.orderId)},"${hold.status}"` +
    `,${hold.createdAt},${hold.expiresAt},[${joined(hold.items, encodeHoldItem)}]]`
  );
}

function encodeRareReads({ unknownStore, unknownProduct, settings }: Read): string {
  const rare =
    (unknownStore === undefined ? '' : `,"unknownStore":"${unknownStore}"`) +
    (unknownProduct === undefined ? '' : `,"unknownProduct":"${unknownProduct}"`);
  return settings === undefined ? rare : `${rare},"settings":${JSON.stringify(settings)}`;
}

/** Counts and adjustments are rare and keep their items as objects. */
export function encodeCommand(command: Command): string {
  if (command.type === 'count' || command.type === 'adjust' || !('items' in command) || command.items === undefined) {
    return JSON.stringify(command);
  }
  const { items, ...rest } = command;
  return `${JSON.stringify(rest).slice(0, -1)},"items":[${joined(items, encodeItem)}]}`;
}

type Tuple = readonly unknown[];

/** The stored shape: as `Entry`, with tuples for what `encodeEntry` packs. */
interface StoredEntry extends Omit<Entry, 'command' | 'read' | 'lines' | 'holds'> {
  command: Omit<Command, 'items'> & { items?: unknown[] };
  read: Omit<Read, 'levels' | 'totals' | 'holds'> & { levels: Tuple[]; totals: Tuple[]; holds: Tuple[] };
  lines: Tuple[];
  holds: Tuple[];
}

/** @throws Error when the text is no entry, or of a version that this program does not know. */
export function decodeEntry(text: string): Entry {
  const stored = JSON.parse(text) as StoredEntry;
  if (stored.version !== ENTRY_VERSION) {
    throw new UnknownEntryVersion(stored.version);
  }
  return { ...stored, command: decodeCommand(stored.command), ...decodeDecided(stored) };
}

/** What a decision added to its request. */
export type Decided = Pick<Entry, 'read' | 'outcome' | 'lines' | 'holds'>;

/** Reads the part of an entry's text that follows its command, without the braces. */
export function parseDecided(text: string): Decided {
  return decodeDecided(JSON.parse(`{${text}}`) as StoredEntry);
}

function decodeDecided({ read, outcome, lines, holds }: Pick<StoredEntry, keyof Decided>): Decided {
  return {
    read: {
      ...read,
      levels: read.levels.map(decodeLevel),
      totals: read.totals.map(decodeTotals),
      holds: read.holds.map(decodeHold),
    },
    outcome,
    lines: lines.map(decodeLine),
    holds: holds.map(decodeHold),
  };
}

/** An entry that a newer Holdfast wrote: no poison, it waits for an upgraded reader. */
export class UnknownEntryVersion extends Error {
  constructor(version: unknown) {
    super(`entry version ${String(version)} is not known; this program reads version ${ENTRY_VERSION}`);
    this.name = 'UnknownEntryVersion';
  }
}

function decodeCommand(stored: StoredEntry['command']): Command {
  if (stored.items === undefined || stored.type === 'count' || stored.type === 'adjust') return stored as Command;
  return { ...stored, items: (stored.items as Tuple[]).map(decodeItem) } as Command;
}

function decodeItem(tuple: Tuple): Item {
  const [storeId, productId, quantity, price] = tuple as [string, string, number, number?];
  return price === undefined ? { storeId, productId, quantity } : { storeId, productId, quantity, price };
}

export function decodeLevel(tuple: Tuple): LevelRead {
  const [storeId, productId, onHand, reserved, safetyStock, lowThreshold, version, lastCount] = tuple as [
    string,
    string,
    number,
    number,
    number,
    number | null,
    number,
    LevelRead['lastCount'],
  ];
  const level: LevelRead = { storeId, productId, onHand, reserved, safetyStock, lowThreshold, version };
  if (lastCount !== undefined) level.lastCount = lastCount;
  return level;
}

export function decodeTotals(tuple: Tuple): TotalsRead {
  const [productId, onHand, reserved, safetyStock] = tuple as [string, number, number, number];
  return { productId, onHand, reserved, safetyStock };
}

function decodeLine(tuple: Tuple): Line {
  const [level, onHandChange, reservedChange, hold, safetyStock, lowThreshold] = tuple as [
    number,
    number,
    number,
    (number | null)?,
    number?,
    (number | null)?,
  ];
  const line: Line = { level, onHandChange, reservedChange };
  if (safetyStock !== undefined) line.settings = { safetyStock, lowThreshold: lowThreshold ?? null };
  else if (hold !== undefined && hold !== null) line.hold = hold;
  return line;
}

export function parseHold(text: string): Hold {
  return decodeHold(JSON.parse(text) as Tuple);
}

function decodeHold(tuple: Tuple): Hold {
  const [reservationId, storeId, transactionId, orderId, status, createdAt, expiresAt, items] = tuple as [
    string,
    string,
    string,
    string | null,
    Hold['status'],
    number,
    number,
    Tuple[],
  ];
  return {
    reservationId,
    storeId,
    transactionId,
    orderId,
    status,
    createdAt,
    expiresAt,
    items: items.map(decodeHoldItem),
  };
}

function decodeHoldItem(tuple: Tuple): HoldItem {
  const [storeId, productId, reserved, confirmed, released, price] = tuple as [
    string,
    string,
    number,
    number,
    number,
    number?,
  ];
  const item: HoldItem = { storeId, productId, reserved, confirmed, released };
  if (price !== undefined) item.price = price;
  return item;
}
