/** What every catalog does alike with the rows of its tables. */
import type { Page } from '../projections/history-reads.ts';
import type { MasterAuditRow, MasterChange, Product, PutResult, Store } from './catalog.ts';

export type MasterRow = Store | Product;
export type MasterValue = string | number | null;

export interface Revisions {
  revision: number;
  /** The last one that the engine has heard of; 0: none. */
  configuredRevision: number;
}

/** The columns of one kind of row and the fields that they hold, in one order; the first is its id. */
export const STORE_COLUMNS = [
  ['store_id', 'storeId'],
  ['name', 'name'],
  ['type', 'type'],
  ['city', 'city'],
  ['opened_at', 'openedAt'],
  ['low_threshold', 'lowThreshold'],
] as const satisfies readonly (readonly [string, keyof Store])[];

export const PRODUCT_COLUMNS = [
  ['product_id', 'productId'],
  ['name', 'name'],
  ['category', 'category'],
  ['price', 'price'],
  ['cost', 'cost'],
  ['safety_stock', 'safetyStock'],
  ['low_threshold', 'lowThreshold'],
] as const satisfies readonly (readonly [string, keyof Product])[];

export interface DecidedPut {
  result: PutResult;
  /** Null: the row is as it was, and nothing is to be written. */
  write: { revisions: Revisions; before: string | null; after: string } | null;
}

/** What a put does to the row that was found. */
export function decidePut(found: { row: MasterRow; revisions: Revisions } | null, row: MasterRow): DecidedPut {
  const configuredRevision = found?.revisions.configuredRevision ?? 0;
  const after = textOf(row);
  const before = found === null ? null : textOf(found.row);
  const created = configuredRevision === 0;
  if (found !== null && before === after) {
    const { revision } = found.revisions;
    return { result: { created, revision, pending: configuredRevision < revision }, write: null };
  }
  const revision = (found?.revisions.revision ?? 0) + 1;
  const known = found !== null && configuredRevision === revision - 1 && sameSettings(found.row, row);
  const revisions = { revision, configuredRevision: known ? revision : configuredRevision };
  return { result: { created, revision, pending: !known }, write: { revisions, before, after } };
}

function textOf(row: MasterRow): string {
  return JSON.stringify(row, Object.keys(row).sort());
}

function sameSettings(one: MasterRow, other: MasterRow): boolean {
  const safety = (row: MasterRow) => ('safetyStock' in row ? row.safetyStock : null);
  return one.lowThreshold === other.lowThreshold && safety(one) === safety(other);
}

/** Columns of an audit row from its change, in the order of `AUDIT_PROVENANCE_COLUMNS`. */
export function auditProvenance({ provenance }: MasterChange): MasterValue[] {
  const { actor, origin, correlationId } = provenance;
  return [actor.subject, actor.role, actor.address ?? null, origin, correlationId];
}

export const AUDIT_PROVENANCE_COLUMNS = ['actor_subject', 'actor_role', 'actor_address', 'origin', 'correlation_id'];

export interface AuditRecord extends Omit<MasterAuditRow, 'actor' | 'before' | 'after'> {
  subject: string;
  role: string;
  address: string | null;
  before: string | null;
  after: string;
}

export function auditRowOf({ subject, role, address, before, after, ...row }: AuditRecord): MasterAuditRow {
  return {
    ...row,
    actor: address === null ? { subject, role } : { subject, role, address },
    before: before === null ? null : JSON.parse(before),
    after: JSON.parse(after),
  };
}

/** A page of `limit` rows out of one more that were read. */
export function pageOf<T>(rows: T[], limit: number, cursorOf: (row: T) => string): Page<T> {
  if (rows.length <= limit) return { items: rows, nextCursor: null };
  const items = rows.slice(0, limit);
  return { items, nextCursor: cursorOf(items[limit - 1] as T) };
}
