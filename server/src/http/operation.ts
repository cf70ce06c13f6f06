/**
 * Operation ids and fingerprints: what makes a repeated request one operation. A fingerprint names a route, its
 * path and the parsed body, whatever its white space and the order of its fields.
 */
import { hash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { isSystemOperationId, OPERATION_ID_PATTERN } from '../stock/identifiers.ts';
import { Problem } from './problems.ts';

const OPERATION_ID = new RegExp(OPERATION_ID_PATTERN);

/** @throws Problem when none is given, two are, or it is not one. */
export function requiredOperationId(request: FastifyRequest, inBody: string | undefined): string {
  const operationId = optionalOperationId(request, inBody);
  if (operationId !== null) return operationId;
  throw new Problem(
    'OPERATION_ID_REQUIRED',
    'Name the operation in the header Idempotency-Key or in the field transactionId; repeat it to repeat the request.',
  );
}

/** @throws Problem when two are given, or it is not one. */
export function optionalOperationId(request: FastifyRequest, inBody: string | undefined): string | null {
  const inHeader = request.headers['idempotency-key'];
  if (inHeader === undefined) return inBody === undefined ? null : checked(inBody);
  if (typeof inHeader !== 'string') throw invalid();
  if (inBody !== undefined && inBody !== inHeader) {
    throw new Problem(
      'OPERATION_ID_CONFLICT',
      'The header Idempotency-Key and the field transactionId differ; give one, or the same twice.',
    );
  }
  return checked(inHeader);
}

/** @throws Problem for what is not an operation id, or is one of the system's own. */
export function checked(operationId: string): string {
  if (!OPERATION_ID.test(operationId) || isSystemOperationId(operationId)) throw invalid();
  return operationId;
}

function invalid(): Problem {
  return new Problem(
    'INVALID_OPERATION_ID',
    'An operation id has 1 to 128 characters of A-Z a-z 0-9 . _ : / - and does not begin with undo/, order/ or sku/.',
  );
}

/**
 * `route` is the same for the addresses with and without `v1`; `place` is what the path and the token say beside
 * the body: two stores that send the same body under the same id are not the same operation.
 */
export function fingerprintOf(route: string, place: string, body: unknown): string {
  return hash('sha256', `${route}\n${place}\n${canonical(body)}`, 'base64url');
}

/** JSON with its keys sorted. */
function canonical(value: unknown): string {
  if (typeof value === 'number') return `${value}`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) {
    let text = '[';
    for (const item of value) text += `${canonical(item)},`;
    return `${text}]`;
  }
  const fields = value as Record<string, unknown>;
  let text = '{';
  for (const key of Object.keys(fields).sort()) text += `${JSON.stringify(key)}:${canonical(fields[key])},`;
  return `${text}}`;
}
