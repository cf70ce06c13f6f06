/**
 * Stock and movements as CSV (RFC 4180, UTF-8, CRLF), a page at a time, so that memory stays flat whatever there is.
 * Every page is as of the moment when it is read: what changes meanwhile may show on a later page and not on an
 * earlier one.
 *
 * A text that a spreadsheet would take for a formula (it begins with `=`, `+`, `-`, `@`, a tab or a carriage return)
 * gets an apostrophe in front. Numbers and ids are left as they are: an id has no character that a formula needs, and
 * it must come back unchanged when the file is imported.
 */
import type {
  HistoryReads,
  LevelQuery,
  LevelRow,
  MovementQuery,
  MovementRow,
  Page,
} from '../../projections/history-reads.ts';

const PAGE_ROWS = 500;
const LINE_END = '\r\n';
const NEEDS_QUOTES = /[",;\r\n\t]|^\s|\s$/;
const FORMULA = /^[=+\-@\t\r]/;

type Cell = string | number | null;

const STOCK_COLUMNS: Record<string, (level: LevelRow) => Cell> = {
  storeId: (level) => level.storeId,
  productId: (level) => level.productId,
  onHand: (level) => level.onHand,
  reserved: (level) => level.reserved,
  safetyStock: (level) => level.safetyStock,
  available: (level) => level.onHand - level.reserved - level.safetyStock,
  lowThreshold: (level) => level.lowThreshold,
  version: (level) => level.version,
  updatedAt: (level) => instant(level.updatedAt),
};

const MOVEMENT_COLUMNS: Record<string, (movement: MovementRow) => Cell> = {
  movementId: (movement) => movement.movementId,
  at: (movement) => instant(movement.at),
  storeId: (movement) => movement.storeId,
  productId: (movement) => movement.productId,
  type: (movement) => movement.type,
  changeReason: (movement) => movement.changeReason,
  onHandChange: (movement) => movement.onHandChange,
  reservedChange: (movement) => movement.reservedChange,
  onHand: (movement) => movement.onHand,
  reserved: (movement) => movement.reserved,
  referenceId: (movement) => text(movement.referenceId),
  reservationId: (movement) => movement.reservationId,
  reason: (movement) => text(movement.reason),
  actor: (movement) => text(movement.actor.subject),
  correction: (movement) => (movement.correction ? 'true' : 'false'),
};

/** Pieces of the file, some hundred rows each. @throws HistoryBehind */
export function exportStock(
  history: Pick<HistoryReads, 'levels'>,
  query: Omit<LevelQuery, 'cursor' | 'limit'>,
): AsyncGenerator<string> {
  return pages(STOCK_COLUMNS, (cursor) => history.levels({ ...query, cursor, limit: PAGE_ROWS }));
}

/** @throws HistoryBehind */
export function exportMovements(
  history: Pick<HistoryReads, 'movements'>,
  query: Omit<MovementQuery, 'cursor' | 'limit'>,
): AsyncGenerator<string> {
  return pages(MOVEMENT_COLUMNS, (cursor) => history.movements({ ...query, cursor, limit: PAGE_ROWS }));
}

/** The first page is read before anything is given, so that a failure can still be answered as one. */
async function* pages<Row>(
  columns: Record<string, (row: Row) => Cell>,
  read: (cursor: string | null) => Promise<Page<Row>>,
): AsyncGenerator<string> {
  const cells = Object.values(columns);
  let page = await read(null);
  yield `${Object.keys(columns).join(',')}${LINE_END}`;
  for (;;) {
    const lines = page.items.map((row) => cells.map((cell) => written(cell(row))).join(',') + LINE_END);
    if (lines.length > 0) yield lines.join('');
    if (page.nextCursor === null) return;
    page = await read(page.nextCursor);
  }
}

function instant(at: number): string {
  return new Date(at).toISOString();
}

/** Text that people or other programs chose. */
function text(value: string | null): string | null {
  return value !== null && FORMULA.test(value) ? `'${value}` : value;
}

function written(cell: Cell): string {
  if (cell === null) return '';
  const value = String(cell);
  return NEEDS_QUOTES.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
