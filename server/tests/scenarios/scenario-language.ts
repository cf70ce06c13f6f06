/**
 * The language of the scenario tables: one operation per row and what must come of it, `tick 1s` between them.
 *
 *     reserve R1 S1/P1*2 ttl=60s   | reserved
 *     S1/P1                        | 10 on hand, 2 reserved, 0 safety, 8 available
 *     tick 61s
 *     confirm R1 order=O1          | confirmed late
 *
 * Every operation has an operation id of its own unless the row says `id=…` (`id=none`: none), and a body that is the
 * row's text unless it says `body=…`. Answers: `done`, `again: done` (a replay), `observed: released` (no entry),
 * `mismatch: receive` (the id belongs to another body, that of a receive).
 */
import type { Execution } from '../../src/recording/command-executor.ts';
import { type AnswerOrder, type Command, type Item, sumItems } from '../../src/stock/commands.ts';
import type { Hold, LevelRead } from '../../src/stock/entry.ts';
import type { Outcome } from '../../src/stock/outcome.ts';

export interface Row {
  text: string;
  operation: string;
  expected: string | null;
  words: string[];
  options: Map<string, string>;
}

export function parseRows(table: string): Row[] {
  const lines = table.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#')).map(parseRow);
}

function parseRow(text: string): Row {
  const [left = '', right] = text.split('|').map((part) => part.trim());
  const [operation = '', ...rest] = left.split(/\s+/);
  const isOption = (word: string) => word.includes('=');
  const options = rest.filter(isOption).map((word) => word.split('=') as [string, string]);
  return {
    text,
    operation,
    expected: right ?? null,
    words: rest.filter((word) => !isOption(word)),
    options: new Map(options),
  };
}

/** `90s`, `5m`, `2h`, `10ms` in milliseconds; a bare number is seconds. */
export function durationMs(text: string): number {
  const [, amount, unit = 's'] = /^(-?\d+)(ms|s|m|h)?$/.exec(text) ?? [];
  if (amount === undefined) throw new Error(`${text} is no duration`);
  return Number(amount) * ({ ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[unit] as number);
}

/** Items as a route hands them over: equal lines summed. */
function parseItems(words: readonly string[]): Item[] {
  return sumItems(words.map((word) => parseItem(word)));
}

function parseItem(word: string, defaultStore = ''): Item {
  const [, storeId, productId, quantity] = /^(?:([\w-]+)\/)?([\w-]+)\*(-?\d+)$/.exec(word) ?? [];
  if (productId === undefined) throw new Error(`${word} is no item (S1/P1*2)`);
  return { storeId: storeId ?? defaultStore, productId, quantity: Number(quantity) };
}

/** What a row cannot say by itself: ids that live longer than the row, and the history that a count rests on. */
export interface Names {
  reservationId(name: string): string;
  /** On hand at an instant, and the level's last count, as the history has them. */
  historyAt(
    storeId: string,
    productId: string,
    at: number,
  ): { onHand: number; last: { countedAt: number; seq: number } | null };
  nowMs: number;
}

export function commandOf(row: Row, names: Names): Command {
  const { words, options } = row;
  const [first = '', second = ''] = words;
  const version = options.get('version');
  const expected = version === undefined ? {} : { expectedVersion: Number(version) };
  const number = (name: string) => (options.has(name) ? Number(options.get(name)) : null);
  const settings = { safetyStock: number('safety'), lowThreshold: number('low') };
  switch (row.operation) {
    case 'store':
      return { type: 'configure-store', storeId: first, settings };
    case 'product':
      return { type: 'configure-product', productId: first, settings };
    case 'level': {
      const [storeId = '', productId = ''] = first.split('/');
      return { type: 'configure-level', storeId, productId, settings, ...expected };
    }
    case 'receive':
    case 'issue':
      return { type: row.operation, items: parseItems(words), ...expected };
    case 'distribute':
      return { type: 'distribute', storeId: first, items: parseItems(words.slice(1)), reason: 'r' };
    case 'transfer': {
      const items = parseItems(words.slice(2));
      return { type: 'transfer', fromStoreId: first, toStoreId: second, items, reason: 'r' };
    }
    case 'adjust': {
      const items = parseItems(words);
      const changes = items.map(({ quantity, ...level }) => ({ ...level, change: quantity }));
      return { type: 'adjust', items: changes, reason: 'r', ...expected };
    }
    case 'count':
      return countOf(row, names, expected);
    case 'answer':
      return answerOf(row);
    default:
      return holdCommandOf(row, names);
  }
}

function holdCommandOf(row: Row, names: Names): Command {
  const { words, options } = row;
  const reservationId = names.reservationId(words[0] ?? '');
  const scope = options.get('scope');
  const storeScope = scope === undefined ? {} : { storeScope: scope };
  const items = words.slice(1).filter((word) => word.includes('*'));
  const ttlMs = durationMs(options.get('ttl') ?? '300s');
  switch (row.operation) {
    case 'reserve': {
      const order = options.get('order');
      const parsed = parseItems(items);
      const storeId = options.get('by') ?? parsed[0]?.storeId ?? '';
      const transactionId = `trx-${words[0]}`;
      const orderId = order === undefined ? {} : { orderId: order };
      return { type: 'reserve', reservationId, storeId, transactionId, ttlMs, items: parsed, ...orderId };
    }
    case 'confirm': {
      const part = items.length === 0 ? {} : { items: parseItems(items) };
      const orderId = options.get('order') ?? 'O1';
      return { type: 'confirm', reservationId, orderId, keepRest: words.includes('keep'), ...part, ...storeScope };
    }
    case 'release':
      return { type: 'release', reservationId, ...storeScope };
    case 'extend':
      return { type: 'extend', reservationId, ttlMs, ...storeScope };
    case 'undo': {
      const seq = Number(options.get('seq') ?? 1);
      const taken = parseItems(words.filter((word) => word.includes('*')));
      return taken.length > 0 ? { type: 'undo', seq, items: taken } : { type: 'undo', seq, reservationId };
    }
    default:
      throw new Error(`no such operation: ${row.text}`);
  }
}

/** `answer placed O1 S1/P1*2`: the event that is answered, its order and its items; `reason=`, `store=`, `names=`. */
function answerOf({ words: [event = '', orderId = '', ...items], options }: Row): Command {
  const storeId = options.get('store');
  const reservationId = options.get('names');
  return {
    type: 'answer-order',
    event: event as AnswerOrder['event'],
    orderId,
    ...(storeId === undefined ? {} : { storeId }),
    ...(reservationId === undefined ? {} : { reservationId }),
    items: parseItems(items),
    reason: (options.get('reason') ?? 'CANCELLED') as AnswerOrder['reason'],
  };
}

/** `at=-10s`: counted then, the difference being computed from the history; `then=` and `based=` say it otherwise. */
function countOf({ words, options }: Row, names: Names, expected: { expectedVersion?: number }): Command {
  const at = options.get('at');
  const countedAt = at === undefined ? null : names.nowMs + durationMs(at);
  const items = words.map((word) => {
    const { storeId, productId, quantity } = parseItem(word);
    const { onHand, last } = names.historyAt(storeId, productId, countedAt ?? names.nowMs);
    const then = options.get('then');
    const onHandThen = countedAt === null ? null : then === undefined ? onHand : Number(then);
    const basedOn = options.get('based') === 'none' ? null : last;
    return { storeId, productId, counted: quantity, onHandThen, basedOn };
  });
  return { type: 'count', countedAt, items, reason: 'r', ...expected };
}

export function showExecution(execution: Execution): string {
  switch (execution.status) {
    case 'recorded':
      return `${execution.replayed ? 'again: ' : ''}${showOutcome(execution.entry.outcome)}`;
    case 'observed':
      return `observed: ${showOutcome(execution.outcome)}`;
    case 'mismatch':
      return `mismatch: ${execution.entry.command.type}`;
    case 'unavailable':
      return `unavailable: ${execution.reason}`;
    default:
      return execution.status;
  }
}

function showOutcome(outcome: Outcome): string {
  const at = (line: { storeId: string; productId: string }) => `${line.storeId}/${line.productId}`;
  switch (outcome.status) {
    case 'insufficient': {
      const lines = outcome.lines.map(
        (line) => `${at(line)} wants ${line.requested} of ${line.available}, HQ ${line.hqAvailable}`,
      );
      return `insufficient ${lines.join('; ')}`;
    }
    case 'quantity-exceeds':
      return `quantity-exceeds ${outcome.lines.map((line) => `${at(line)} ${line.requested} of ${line.held}`).join('; ')}`;
    case 'counted':
      return `counted ${outcome.lines.map((line) => `${at(line)} ${line.counted} by ${line.difference}`).join('; ')}`;
    case 'confirmed':
      return outcome.late ? 'confirmed late' : 'confirmed';
    case 'count-superseded':
    case 'level-limit':
      return `${outcome.status} ${at(outcome)}`;
    case 'stale-version':
      return `stale-version ${outcome.version}`;
    case 'unknown-store':
      return `unknown-store ${outcome.storeId}`;
    case 'unknown-product':
      return `unknown-product ${outcome.productId}`;
    default:
      return outcome.status;
  }
}

export function showLevel(level: LevelRead | null): string {
  if (level === null) return 'unknown';
  const { onHand, reserved, safetyStock } = level;
  return `${onHand} on hand, ${reserved} reserved, ${safetyStock} safety, ${onHand - reserved - safetyStock} available`;
}

export function showHold(hold: Hold | null): string {
  if (hold === null) return 'unknown';
  const items = hold.items.map(
    ({ storeId, productId, reserved, confirmed, released }) =>
      `${storeId}/${productId} ${reserved} held ${confirmed} confirmed ${released} released`,
  );
  return `${hold.status}${hold.orderId === null ? '' : ` for ${hold.orderId}`}: ${items.join('; ')}`;
}
