/** An event in one line, for people: local time, type, key, and what matters of its data. */
import { printable } from './tables.ts';

type Style = 'red' | 'green' | 'yellow' | 'cyan' | 'dim';
export type Paint = (style: Style, text: string) => string;

const TYPE_WIDTH = 25;

const STYLES: Record<string, Style> = {
  'stock.reserved': 'cyan',
  'stock.confirmed': 'green',
  'stock.reservation.failed': 'red',
  'stock.confirm.failed': 'red',
  'stock.shortfall': 'red',
  'stock.low': 'yellow',
  'stock.reservation.expired': 'yellow',
};

/** Of ours, or a message that others sent. */
export interface WritableEvent {
  type: string;
  /** ISO 8601 */
  time: string;
  subject: string;
  data: Readonly<Record<string, unknown>>;
}

export function writtenEvent(
  { type, time, subject, data }: WritableEvent,
  paint: Paint,
  style: Style | undefined = STYLES[type],
): string {
  const name = type.padEnd(TYPE_WIDTH);
  const parts = [paint('dim', localTime(time)), style === undefined ? name : paint(style, name)];
  return [...parts, ...[subject, ...essentialsOf(data, subject)].map(printable)].join('  ');
}

function localTime(time: string): string {
  const at = new Date(time);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const clock = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');
  return `${day} ${clock}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

/** What the key says already is left out. */
function essentialsOf(data: WritableEvent['data'], subject: string): string[] {
  const named = (field: string, name: string) => {
    const value = data[field];
    return value === undefined || value === null || value === subject ? [] : [`${name} ${String(value)}`];
  };
  return [
    ...(subject.includes(String(data.hqId)) ? [] : named('hqId', 'HQ')),
    ...named('orderId', 'order'),
    ...named('transactionId', 'transaction'),
    ...named('skuId', 'SKU'),
    ...itemsOf(data.items ?? data.lines),
    ...changeOf(data),
    ...named('initialStock', 'opening stock'),
    ...named('available', 'available'),
    ...named('threshold', 'threshold'),
    ...named('reason', 'because'),
  ];
}

interface Item {
  productId: string;
  storeId?: string | null;
  quantity?: number;
  requested?: number;
}

function itemsOf(items: unknown): string[] {
  if (!Array.isArray(items) || items.length === 0) return [];
  const texts = (items as Item[]).map(({ productId, storeId, quantity, requested }) => {
    const place = storeId === undefined || storeId === null ? '' : ` at ${storeId}`;
    return `${quantity ?? requested ?? '?'} × ${productId}${place}`;
  });
  return [texts.join(', ')];
}

function changeOf({ changeAmount, changeReason, stockLevels }: WritableEvent['data']): string[] {
  if (typeof changeAmount !== 'number') return [];
  const store = (stockLevels as { storeStock?: { previous: number; current: number } } | undefined)?.storeStock;
  const levels = store === undefined ? '' : ` (${store.previous} → ${store.current})`;
  return [`${changeAmount > 0 ? '+' : ''}${changeAmount} ${String(changeReason)}${levels}`];
}
