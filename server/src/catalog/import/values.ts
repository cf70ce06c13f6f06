/** From the text of a cell to a value, exactly, or refused. Spaces around a cell do not count. */
import { ID_PATTERN } from '../../stock/identifiers.ts';
import { QUANTITY_MAX, TEXT_LENGTH_MAX } from '../../stock/limits.ts';
import { ValueRefused } from './refusals.ts';

const ID = new RegExp(ID_PATTERN);
const WHOLE = /^\d+$/;
const NEGATIVE = /^[-−]\s*[\d.]/;
const FRACTION = /^\d*\.\d+$/;
const ZERO = 0x30;
const DIGITS_MAX = 9;

/** A currency sign, then digits, perhaps in groups of three, then a fraction. */
const MONEY = /^([$€£₩￦¥]?)\s*(\d+|\d{1,3}(?:,\d{3})+)(?:\.(\d*))?$/;
const MINOR_DIGITS_DEFAULT = 2;
const MINOR_DIGITS: Record<string, number> = { '₩': 0, '￦': 0, '¥': 0 };

/** Control characters would travel on into terminals and other files; line ends and tabs may stand in a text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is its purpose.
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/;

export function isId(text: string): boolean {
  return ID.test(text);
}

/** @throws ValueRefused */
export function idOf(text: string): string {
  if (!ID.test(text))
    throw new ValueRefused('INVALID_ID', `"${shorten(text)}" is no id: 1 to 64 letters, digits, ".", "_" or "-"`);
  return text;
}

/** A whole number of units, 0 to `QUANTITY_MAX`. @throws ValueRefused */
export function quantityOf(text: string): number {
  if (text.length <= DIGITS_MAX) {
    const value = digitsOf(text);
    if (value >= 0 && value <= QUANTITY_MAX) return value;
  }
  throw new ValueRefused('INVALID_QUANTITY', `"${shorten(text)}" ${whyNoQuantity(text)}`);
}

/** -1 when there is anything but digits. */
function digitsOf(text: string): number {
  if (text.length === 0) return -1;
  let value = 0;
  for (let index = 0; index < text.length; index += 1) {
    const digit = text.charCodeAt(index) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

function whyNoQuantity(text: string): string {
  if (NEGATIVE.test(text)) return 'is negative';
  if (FRACTION.test(text)) return 'is no whole number';
  if (WHOLE.test(text)) return `is more than ${QUANTITY_MAX}`;
  return 'is no whole number of units';
}

/**
 * An amount in the currency's main unit, as people write it (`$9.99 `, `₩15,000`, `12.5`), in its minor unit. The
 * sign says how many digits that has; without one it has two. Never rounded. @throws ValueRefused
 */
export function moneyOf(text: string): number {
  const match = MONEY.exec(text);
  if (match === null) throw new ValueRefused('INVALID_MONEY', `"${shorten(text)}" is no amount of money such as $9.99`);
  const [, sign = '', whole = '', fraction = ''] = match;
  const digits = MINOR_DIGITS[sign] ?? MINOR_DIGITS_DEFAULT;
  const kept = fraction.slice(0, digits).padEnd(digits, '0');
  if (/[^0]/.test(fraction.slice(digits)))
    throw new ValueRefused('INVALID_MONEY', `"${shorten(text)}" has parts smaller than the currency's minor unit`);
  return safe(Number(`${whole.replaceAll(',', '')}${kept}`), text);
}

/** An amount that is in the minor unit already. @throws ValueRefused */
export function minorMoneyOf(text: string): number {
  if (!WHOLE.test(text))
    throw new ValueRefused('INVALID_MONEY', `"${shorten(text)}" is no whole number of minor units`);
  return safe(Number(text), text);
}

function safe(amount: number, text: string): number {
  if (Number.isSafeInteger(amount)) return amount;
  throw new ValueRefused('INVALID_MONEY', `"${shorten(text)}" is more than can be counted exactly`);
}

/** An ISO 8601 date that exists; a time after it is left out. @throws ValueRefused */
export function dateOf(text: string): string {
  const match = /^(\d{4}-\d{2}-\d{2})(?:[T ]\d{2}:\d{2}.*)?$/.exec(text);
  const date = match?.[1] ?? '';
  const parsed = new Date(`${date}T00:00:00Z`);
  if (date === '' || Number.isNaN(parsed.getTime()) || !parsed.toISOString().startsWith(date))
    throw new ValueRefused('INVALID_DATE', `"${shorten(text)}" is no date such as 2026-01-31`);
  return date;
}

/** @throws ValueRefused */
export function textOf(text: string): string {
  if (text.length > TEXT_LENGTH_MAX)
    throw new ValueRefused('INVALID_TEXT', `a text of ${text.length} characters is longer than ${TEXT_LENGTH_MAX}`);
  if (CONTROL.test(text)) throw new ValueRefused('INVALID_TEXT', 'a text holds control characters');
  return text;
}

/** What a message shows of a cell. */
export function shorten(text: string): string {
  const shown = text.length <= 40 ? text : `${text.slice(0, 40)}…`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not reach a terminal.
  return shown.replaceAll(/[\x00-\x1f\x7f]/g, ' ');
}
