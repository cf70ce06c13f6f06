/** Why a row, or a whole file, is refused. Those above the line stop the file; the others one row. */
export type RefusalCode =
  | 'EMPTY_FILE'
  | 'MISSING_COLUMN'
  | 'AMBIGUOUS_COLUMN'
  | 'UNCLOSED_QUOTE'
  | 'ROW_TOO_LONG'
  | 'TOO_MANY_ROWS'
  // ---
  | 'NOT_UTF8'
  | 'MISPLACED_QUOTE'
  | 'MISPLACED_LINE_END'
  | 'WRONG_FIELD_COUNT'
  | 'MISSING_VALUE'
  | 'INVALID_ID'
  | 'INVALID_QUANTITY'
  | 'INVALID_MONEY'
  | 'INVALID_DATE'
  | 'INVALID_TEXT'
  | 'UNKNOWN_STORE'
  | 'UNKNOWN_PRODUCT'
  | 'DUPLICATE_ROW'
  | 'LEVEL_LIMIT';

export interface Refusal {
  /** The physical line on which the row begins, counted from 1; the header's is 1. */
  line: number;
  code: RefusalCode;
  /** A sentence for people. */
  reason: string;
  /** As the file names it. */
  column?: string;
}

/** Refusals that are told one by one; more are counted. */
const REFUSALS_MAX = 1_000;

/** A value that cannot be taken. */
export class ValueRefused extends Error {
  readonly code: RefusalCode;
  column?: string;

  constructor(code: RefusalCode, reason: string) {
    super(reason);
    this.name = 'ValueRefused';
    this.code = code;
  }
}

/** The first refusals by line, and how many there were. */
export class Refusals {
  readonly first: Refusal[] = [];
  count = 0;

  add(refusal: Refusal): void {
    this.count += 1;
    if (this.first.length < REFUSALS_MAX) this.first.push(refusal);
  }

  /** Rows are checked in part by themselves and in part by the batch. */
  inOrder(): Refusal[] {
    return this.first.toSorted((one, other) => one.line - other.line);
  }
}
