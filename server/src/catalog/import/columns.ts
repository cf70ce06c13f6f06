/**
 * Which column of a file holds which field: as the mapping says, else by a name that is commonly used for it.
 * Letters' case, spaces, dashes and underscores of a column's name do not matter for the latter.
 */
import { CsvUnreadable } from './csv-reader.ts';

export type ImportKind = 'stores' | 'products' | 'stock';

/** Column of the file → field of Holdfast. */
export type ColumnMapping = ReadonlyMap<string, string>;

interface Field {
  name: string;
  required: boolean;
  aliases: string[];
}

const STORE_ID: Field = {
  name: 'storeId',
  required: true,
  aliases: ['store', 'storeno', 'storenumber', 'storecode', 'locationid', '매장id', '매장코드', '매장'],
};
const PRODUCT_ID: Field = {
  name: 'productId',
  required: true,
  aliases: ['product', 'productcode', 'sku', 'skuid', 'itemid', 'itemcode', '상품id', '상품코드', '상품'],
};
const LOW_THRESHOLD: Field = {
  name: 'lowThreshold',
  required: false,
  aliases: ['lowstockthreshold', 'reorderpoint', 'reorderlevel', '재주문점'],
};

const FIELDS: Record<ImportKind, Field[]> = {
  stores: [
    STORE_ID,
    { name: 'name', required: true, aliases: ['storename', '매장명'] },
    { name: 'type', required: false, aliases: ['storetype', 'storelocation', 'locationtype', '유형'] },
    { name: 'city', required: false, aliases: ['storecity', '도시'] },
    { name: 'openedAt', required: false, aliases: ['opened', 'opendate', 'openingdate', 'storeopendate', '개점일'] },
    LOW_THRESHOLD,
  ],
  products: [
    PRODUCT_ID,
    { name: 'name', required: true, aliases: ['productname', 'title', '상품명'] },
    { name: 'category', required: false, aliases: ['productcategory', '분류', '카테고리'] },
    { name: 'price', required: false, aliases: ['productprice', 'unitprice', 'listprice', '가격', '판매가'] },
    { name: 'cost', required: false, aliases: ['productcost', 'unitcost', '원가'] },
    { name: 'priceMinor', required: false, aliases: [] },
    { name: 'costMinor', required: false, aliases: [] },
    { name: 'safetyStock', required: false, aliases: ['safetystocklevel', '안전재고'] },
    LOW_THRESHOLD,
  ],
  stock: [
    STORE_ID,
    PRODUCT_ID,
    {
      name: 'quantity',
      required: true,
      aliases: ['qty', 'onhand', 'stockonhand', 'stock', 'openingstock', 'storestock', '수량', '재고'],
    },
  ],
};

/** Where each field is: its index in a record and its column's name in the file. */
export class Columns {
  readonly count: number;
  readonly #places = new Map<string, { index: number; column: string }>();

  constructor(header: readonly string[]) {
    this.count = header.length;
  }

  place(field: string, index: number, column: string): void {
    this.#places.set(field, { index, column });
  }

  /** -1 when the file has no such column. */
  indexOf(field: string): number {
    return this.#places.get(field)?.index ?? -1;
  }

  nameOf(field: string): string {
    return this.#places.get(field)?.column ?? field;
  }

  has(field: string): boolean {
    return this.#places.has(field);
  }

  /** What makes two readings of the same bytes different ones. */
  get signature(): string {
    return [...this.#places].map(([field, { index }]) => `${field}=${index}`).join(',');
  }
}

/** The mapping is not one: a usage error, whatever the file holds. */
export class InvalidMapping extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'InvalidMapping';
  }
}

/**
 * `Store_ID=storeId,Product_ID=productId`, or with `:` in place of `=`.
 * @throws InvalidMapping
 */
export function parseMapping(kind: ImportKind, text: string): ColumnMapping {
  const known = FIELDS[kind].map(({ name }) => name);
  const mapping = new Map<string, string>();
  for (const part of text.split(',').filter((piece) => piece.trim() !== '')) {
    const split = Math.max(part.lastIndexOf('='), part.lastIndexOf(':'));
    const column = part.slice(0, split).trim();
    const field = part.slice(split + 1).trim();
    if (split < 1 || column === '') throw new InvalidMapping(`"${part}" does not read COLUMN=field`);
    if (!known.includes(field)) throw new InvalidMapping(`"${field}" is no field of ${kind}: ${known.join(', ')}`);
    if (mapping.has(column)) throw new InvalidMapping(`the column "${column}" is mapped twice`);
    if ([...mapping.values()].includes(field)) throw new InvalidMapping(`the field "${field}" is mapped twice`);
    mapping.set(column, field);
  }
  return mapping;
}

/** @throws CsvUnreadable when a column is missing, or two columns say the same. */
export function resolveColumns(
  kind: ImportKind,
  header: readonly string[],
  line: number,
  mapping: ColumnMapping,
): Columns {
  const names = header.map((name) => name.trim());
  const columns = new Columns(names);
  for (const [column, field] of mapping) {
    const index = names.indexOf(column);
    if (index < 0) throw missing(line, `the mapping names the column "${column}", which the file does not have`, names);
    columns.place(field, index, column);
  }
  for (const field of FIELDS[kind]) {
    if (columns.has(field.name)) continue;
    const found = candidates(field, names, mapping);
    const [index] = found;
    if (index !== undefined && found.length === 1) columns.place(field.name, index, names[index] as string);
    else if (found.length > 1)
      throw ambiguous(
        line,
        field,
        found.map((at) => names[at] as string),
      );
    else if (field.required) throw missing(line, `no column holds ${field.name}`, names);
  }
  return columns;
}

/** Columns by the field's own name, else by one of its other names. */
function candidates({ name, aliases }: Field, names: readonly string[], mapping: ColumnMapping): number[] {
  const free = names.flatMap((column, index) => (mapping.has(column) ? [] : [{ plain: plain(column), index }]));
  const own = free.filter((column) => column.plain === name.toLowerCase());
  const chosen = own.length > 0 ? own : free.filter((column) => aliases.includes(column.plain));
  return chosen.map(({ index }) => index);
}

function plain(column: string): string {
  return column.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '');
}

function missing(line: number, what: string, names: readonly string[]): CsvUnreadable {
  const has = names.map((name) => name.slice(0, 64)).join(', ');
  return new CsvUnreadable('MISSING_COLUMN', line, `${what}; its columns are: ${has.slice(0, 500)}`);
}

function ambiguous(line: number, field: Field, names: readonly string[]): CsvUnreadable {
  const reason = `the columns ${names.join(' and ')} may all hold ${field.name}; name one of them in the mapping`;
  return new CsvUnreadable('AMBIGUOUS_COLUMN', line, reason);
}
