/** The shapes of the wire: each gives the type, the validation and the text of the API page. */
import Type, { type TSchema } from 'typebox';
import { ID_PATTERN, OPERATION_ID_PATTERN } from '../stock/identifiers.ts';
import { LINES_MAX, QUANTITY_MAX, TEXT_LENGTH_MAX, TTL_MS_MAX, TTL_MS_MIN } from '../stock/limits.ts';
import { isProblemCode, PROBLEMS, type ProblemCode } from './problems.ts';

const STRICT = { additionalProperties: false } as const;
/** Money, in the currency's minor unit. */
const MONEY_MAX = 1_000_000_000_000;
const PAGE_LIMIT_MAX = 500;
export const PAGE_LIMIT_DEFAULT = 50;
const CURSOR_LENGTH_MAX = 2_048;

export const Id = Type.String({ pattern: ID_PATTERN });
export const OperationId = Type.String({
  pattern: OPERATION_ID_PATTERN,
  description: 'The operation id; may be given in the header Idempotency-Key instead',
});
export const Quantity = Type.Integer({ minimum: 1, maximum: QUANTITY_MAX });
/** Equal lines are summed, so that an answer may hold more than one line can ask for. */
export const Sum = Type.Integer({ minimum: 1 });
export const QuantityOrZero = Type.Integer({ minimum: 0, maximum: QUANTITY_MAX });
export const Instant = Type.String({ format: 'date-time', description: 'An instant, ISO 8601' });
/** Text for people: no control characters, no halves of surrogate pairs. */
export const Text = Type.String({ minLength: 1, maxLength: TEXT_LENGTH_MAX, pattern: '^[^\\p{Cc}\\p{Cs}]*$' });
export const Money = Type.Integer({ minimum: 0, maximum: MONEY_MAX, description: "In the currency's minor unit" });
export const Cursor = Type.String({
  minLength: 1,
  maxLength: CURSOR_LENGTH_MAX,
  description: 'The nextCursor of the page before',
});
const Limit = Type.Integer({ minimum: 1, maximum: PAGE_LIMIT_MAX, default: PAGE_LIMIT_DEFAULT });
export const Ttl = Type.Integer({ minimum: TTL_MS_MIN, maximum: TTL_MS_MAX });

/** An object that has these fields and no others. */
export function strict<T extends Record<string, TSchema>>(fields: T) {
  return Type.Object(fields, STRICT);
}

export function nullable<T extends TSchema>(schema: T) {
  return Type.Union([schema, Type.Null()]);
}

/** 1 to 500 lines. */
export function lines<T extends TSchema>(line: T) {
  return Type.Array(line, { minItems: 1, maxItems: LINES_MAX });
}

export function page<T extends TSchema>(item: T) {
  return Type.Object({ items: Type.Array(item), nextCursor: nullable(Type.String()) });
}

export const hqField = { hqId: Type.Optional(Id) };
export const operationField = { transactionId: Type.Optional(OperationId) };
export const pageFields = { cursor: Type.Optional(Cursor), limit: Type.Optional(Limit) };

export const LineItem = strict({ productId: Id, quantity: Quantity });

const Problem = {
  type: Type.String(),
  title: Type.String(),
  detail: Type.String(),
  instance: Type.String(),
};

/** Errors that every route with a token can answer. */
const COMMON: ProblemCode[] = [
  'VALIDATION_FAILED',
  'INVALID_URL',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'RATE_LIMITED',
  'INTERNAL_ERROR',
  'NOT_READY',
];
const OF_A_BODY: ProblemCode[] = ['INVALID_JSON', 'BODY_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'];
const OF_A_COMMAND: ProblemCode[] = [
  'INVALID_OPERATION_ID',
  'OPERATION_ID_CONFLICT',
  'IDEMPOTENCY_MISMATCH',
  'OVERLOADED',
  'NOT_RECORDED',
  'OUTCOME_UNKNOWN',
];

/** The statuses of a read: its success, the errors of every route, and those that are its own. */
export function readResponses(success: TSchema, ...codes: ProblemCode[]): Record<string, unknown> {
  return { 200: success, ...problemsOfARead(...codes) };
}

/** The errors of a read that has no success of its own to declare. */
export function problemsOfARead(...codes: ProblemCode[]): Record<string, unknown> {
  return problemResponses([...COMMON, ...codes]);
}

/** The statuses of a command. */
export function commandResponses(successes: Record<number, TSchema>, ...codes: ProblemCode[]): Record<string, unknown> {
  return { ...successes, ...problemResponses([...COMMON, ...OF_A_BODY, ...OF_A_COMMAND, ...codes]) };
}

/** The statuses of a write of master data, which is idempotent by itself. */
export function writeResponses(successes: Record<number, TSchema>, ...codes: ProblemCode[]): Record<string, unknown> {
  const own: ProblemCode[] = [...OF_A_BODY, 'OVERLOADED', 'NOT_RECORDED', 'OUTCOME_UNKNOWN'];
  return { ...successes, ...problemResponses([...COMMON, ...own, ...codes]) };
}

/** The statuses of a write that is stored and carried out later. */
export function handInResponses(successes: Record<number, TSchema>, ...codes: ProblemCode[]): Record<string, unknown> {
  return { ...successes, ...problemResponses([...COMMON, ...OF_A_BODY, 'OVERLOADED', 'NOT_RECORDED', ...codes]) };
}

function problemResponses(codes: readonly ProblemCode[]): Record<string, unknown> {
  const byStatus = Map.groupBy(new Set(codes), (code) => PROBLEMS[code].status);
  return Object.fromEntries([...byStatus].map(([status, named]) => [status, problemResponse(status, named)]));
}

function problemResponse(status: number, codes: readonly ProblemCode[]): unknown {
  const schema = Type.Object({
    ...Problem,
    status: Type.Literal(status),
    code: Type.Union(codes.filter(isProblemCode).map((code) => Type.Literal(code))),
  });
  const description = codes.map((code) => `${code}: ${PROBLEMS[code].title}`).join('; ');
  return { description, content: { 'application/problem+json': { schema } } };
}

/** A success that is no JSON. */
export function textResponses(
  description: string,
  mediaType: string,
  ...codes: ProblemCode[]
): Record<string, unknown> {
  const success = { description, content: { [mediaType]: { schema: Type.String() } } };
  return { 200: success, ...(codes.length === 0 ? {} : problemResponses([...COMMON, ...codes])) };
}
