/** From the cells of a record to a store, a product, or an opening level. */

import { HQ_POOL } from '../../stock/limits.ts';
import type { Product, Store } from '../catalog.ts';
import type { Columns } from './columns.ts';
import { ValueRefused } from './refusals.ts';
import { dateOf, idOf, minorMoneyOf, moneyOf, quantityOf, textOf } from './values.ts';

export interface StockRow {
  storeId: string;
  productId: string;
  quantity: number;
}

/** How one kind of file is read, told apart and kept on disk for a while. */
export interface RowFormat<Row> {
  /** @throws ValueRefused */
  read(fields: readonly string[]): Row;
  /** A file names it once. */
  keyOf(row: Row): { storeId: string; productId: string };
  /** Values in JSON, without brackets; `decode` takes those of many rows. */
  encode(row: Row): string;
  decode(values: readonly unknown[]): Row[];
}

export function stockRows(columns: Columns): RowFormat<StockRow> {
  const cell = cellReader(columns);
  return {
    read: (fields) => ({
      storeId: cell.required(fields, 'storeId', asIs),
      productId: cell.required(fields, 'productId', asIs),
      quantity: cell.required(fields, 'quantity', quantityOf),
    }),
    keyOf: (row) => row,
    // Written by hand and without names, for a file may have millions of rows. Ids of a checked row hold nothing that
    // JSON escapes.
    encode: ({ storeId, productId, quantity }) => `"${storeId}","${productId}",${quantity}`,
    decode: stockRowsOf,
  };
}

function stockRowsOf(values: readonly unknown[]): StockRow[] {
  const rows: StockRow[] = [];
  for (let at = 0; at < values.length; at += 3) {
    const [storeId, productId, quantity] = [values[at] as string, values[at + 1] as string, values[at + 2] as number];
    rows.push({ storeId, productId, quantity });
  }
  return rows;
}

export function storeRows(columns: Columns): RowFormat<Store> {
  const cell = cellReader(columns);
  return {
    read: (fields) => ({
      storeId: cell.required(fields, 'storeId', storeIdOf),
      name: cell.required(fields, 'name', textOf),
      type: cell.optional(fields, 'type', textOf),
      city: cell.optional(fields, 'city', textOf),
      openedAt: cell.optional(fields, 'openedAt', dateOf),
      lowThreshold: cell.optional(fields, 'lowThreshold', quantityOf),
    }),
    keyOf: ({ storeId }) => ({ storeId, productId: '' }),
    encode: (row) => JSON.stringify(row),
    decode: (values) => values as Store[],
  };
}

export function productRows(columns: Columns): RowFormat<Product> {
  const cell = cellReader(columns);
  const money = (fields: readonly string[], field: 'price' | 'cost') =>
    columns.has(`${field}Minor`)
      ? cell.optional(fields, `${field}Minor`, minorMoneyOf)
      : cell.optional(fields, field, moneyOf);
  return {
    read: (fields) => ({
      productId: cell.required(fields, 'productId', idOf),
      name: cell.required(fields, 'name', textOf),
      category: cell.optional(fields, 'category', textOf),
      price: money(fields, 'price'),
      cost: money(fields, 'cost'),
      safetyStock: cell.optional(fields, 'safetyStock', quantityOf),
      lowThreshold: cell.optional(fields, 'lowThreshold', quantityOf),
    }),
    keyOf: ({ productId }) => ({ storeId: '', productId }),
    encode: (row) => JSON.stringify(row),
    decode: (values) => values as Product[],
  };
}

/** The HQ pool is no store, and its id is kept for it. */
function storeIdOf(text: string): string {
  if (text === HQ_POOL) throw new ValueRefused('INVALID_ID', `"${HQ_POOL}" is the id of the HQ's own pool`);
  return idOf(text);
}

type Parse<T> = (text: string) => T;

/** Ids of stock are held against the engine, which knows well-formed ones only. */
const asIs: Parse<string> = (text) => text;

function cellReader(columns: Columns) {
  const indexes = new Map<string, number>();
  const indexOf = (field: string): number => {
    let index = indexes.get(field);
    if (index === undefined) {
      index = columns.indexOf(field);
      indexes.set(field, index);
    }
    return index;
  };
  function parsed<T>(field: string, text: string, parse: Parse<T>): T {
    try {
      return parse(text);
    } catch (error) {
      if (error instanceof ValueRefused) error.column = columns.nameOf(field);
      throw error;
    }
  }
  return {
    required<T>(fields: readonly string[], field: string, parse: Parse<T>): T {
      const text = (fields[indexOf(field)] ?? '').trim();
      if (text !== '') return parsed(field, text, parse);
      const refused = new ValueRefused('MISSING_VALUE', `${columns.nameOf(field)} is empty`);
      refused.column = columns.nameOf(field);
      throw refused;
    },
    optional<T>(fields: readonly string[], field: string, parse: Parse<T>): T | null {
      const index = indexOf(field);
      const text = index < 0 ? '' : (fields[index] ?? '').trim();
      return text === '' ? null : parsed(field, text, parse);
    },
  };
}
