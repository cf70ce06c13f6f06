/**
 * Every error that the service answers, in one table: code → status, whether repeating can help, title. The
 * reference page `docs/reference/errors.md` is held against it, both ways.
 */
interface ProblemKind {
  status: number;
  /** Whether the same request can succeed later, as it is. */
  retryable: boolean;
  title: string;
}

export const PROBLEMS = {
  VALIDATION_FAILED: { status: 400, retryable: false, title: 'The request is not as its schema says' },
  INVALID_JSON: { status: 400, retryable: false, title: 'The body is not JSON' },
  INVALID_URL: { status: 400, retryable: false, title: 'The address cannot be read' },
  INVALID_CURSOR: { status: 400, retryable: false, title: 'The cursor is not one that this API gave' },
  HQ_REQUIRED: { status: 400, retryable: false, title: 'The token sees every HQ, so the request must name one' },
  STORE_REQUIRED: { status: 400, retryable: false, title: 'Neither the request nor the token names a store' },
  RESERVED_STORE_ID: { status: 400, retryable: false, title: 'This store id is kept for the HQ pool' },
  OPERATION_ID_REQUIRED: { status: 400, retryable: false, title: 'The request names no operation id' },
  OPERATION_ID_CONFLICT: { status: 400, retryable: false, title: 'The request names two operation ids' },
  INVALID_OPERATION_ID: { status: 400, retryable: false, title: 'The operation id is not one' },
  UNREADABLE_EVENT: { status: 400, retryable: false, title: 'The event cannot be read' },
  UNAUTHENTICATED: { status: 401, retryable: false, title: 'There is no valid token' },
  FORBIDDEN: { status: 403, retryable: false, title: 'The token does not allow this' },
  NOT_FOUND: { status: 404, retryable: false, title: 'There is no such address' },
  UNKNOWN_HQ: { status: 404, retryable: false, title: 'There is no such HQ' },
  UNKNOWN_STORE: { status: 404, retryable: false, title: 'There is no such store' },
  UNKNOWN_PRODUCT: { status: 404, retryable: false, title: 'There is no such product' },
  UNKNOWN_RESERVATION: { status: 404, retryable: false, title: 'There is no such reservation' },
  UNKNOWN_DEAD_LETTER: { status: 404, retryable: false, title: 'There is no such dead letter' },
  METHOD_NOT_ALLOWED: { status: 405, retryable: false, title: 'This address does not take this method' },
  REQUEST_TIMEOUT: { status: 408, retryable: true, title: 'The request did not arrive in time' },
  INSUFFICIENT_STOCK: { status: 409, retryable: false, title: 'There is not enough stock' },
  RESERVATION_CONFIRMED: { status: 409, retryable: false, title: 'The reservation is confirmed already' },
  RESERVATION_RELEASED: { status: 409, retryable: false, title: 'The reservation was released' },
  RESERVATION_EXPIRED: { status: 409, retryable: false, title: 'The reservation has expired' },
  QUANTITY_EXCEEDS_RESERVATION: { status: 409, retryable: false, title: 'More was asked for than is held' },
  COUNT_SUPERSEDED: { status: 409, retryable: false, title: 'A later count of this level is booked already' },
  DEAD_LETTER_NOT_PARKED: { status: 409, retryable: false, title: 'The dead letter is not parked' },
  DEAD_LETTER_BUSY: { status: 409, retryable: true, title: 'Somebody else redrives the dead letter' },
  LEVEL_LIMIT: { status: 409, retryable: false, title: 'A level can hold no more than this' },
  VERSION_MISMATCH: { status: 412, retryable: false, title: 'The level has changed since' },
  BODY_TOO_LARGE: { status: 413, retryable: false, title: 'The body is too large' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, retryable: false, title: 'The body is of a type that is not read here' },
  IDEMPOTENCY_MISMATCH: { status: 422, retryable: false, title: 'The operation id belongs to another request' },
  UPGRADE_REQUIRED: { status: 426, retryable: false, title: 'This address speaks another protocol' },
  DEAD_LETTER_UNREADABLE: { status: 422, retryable: false, title: 'The corrected message cannot be read' },
  RATE_LIMITED: { status: 429, retryable: true, title: 'The token asks too often' },
  HEADERS_TOO_LARGE: { status: 431, retryable: false, title: 'The headers are too large' },
  INTERNAL_ERROR: { status: 500, retryable: true, title: 'Something went wrong here' },
  NOT_READY: { status: 503, retryable: true, title: 'The service takes no commands at the moment' },
  OVERLOADED: { status: 503, retryable: true, title: 'More work waits than is taken on' },
  NOT_RECORDED: { status: 503, retryable: true, title: 'The command could not be recorded' },
  COUNT_CONTENDED: { status: 503, retryable: true, title: 'The level is being counted again and again' },
  HISTORY_BEHIND: { status: 503, retryable: true, title: 'The history is still being written' },
  OUTCOME_UNKNOWN: { status: 504, retryable: true, title: 'It is not known whether the command was recorded' },
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof PROBLEMS;

/** What a refused caller is told to wait before it tries again, in seconds. */
export const RETRY_AFTER_SECONDS = '1';

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

export function isProblemCode(text: string): text is ProblemCode {
  return Object.hasOwn(PROBLEMS, text);
}

interface ProblemParts {
  detail: string;
  /** What names this occurrence: an entry of the ledger, or the request. */
  instance: string;
  /** Data of this error, beside the members of RFC 9457. */
  data?: Record<string, unknown>;
}

/** The body of an error, RFC 9457. */
export function problemBody(code: ProblemCode, { detail, instance, data }: ProblemParts): string {
  const { status, title } = PROBLEMS[code];
  const type = `urn:holdfast:problem:${code.toLowerCase().replaceAll('_', '-')}`;
  return JSON.stringify({ type, title, status, detail, code, instance, ...data });
}

/** A request that is refused before it becomes a command. Thrown by the routes, answered by the error handler. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly data: Record<string, unknown> | undefined;

  constructor(code: ProblemCode, detail: string, data?: Record<string, unknown>) {
    super(detail);
    this.name = 'Problem';
    this.code = code;
    this.data = data;
  }
}
