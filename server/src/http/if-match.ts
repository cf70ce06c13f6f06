import type { FastifyRequest } from 'fastify';
import { Problem } from './problems.ts';

const ETAG = /^(W\/)?"([^"]*)"$/;
const VERSION = /^\d{1,15}$/;
/** A tag that is none of ours names a version that no level ever has. */
const NO_VERSION = -1;

/** The version that the caller expects; undefined: none given, or `*`. @throws Problem for what is no ETag. */
export function expectedVersion(request: FastifyRequest): { expectedVersion?: number } {
  const header = request.headers['if-match'];
  if (header === undefined || header.trim() === '*') return {};
  const match = ETAG.exec(header.trim());
  if (match === null) throw new Problem('VALIDATION_FAILED', 'If-Match names one ETag, in double quotes.');
  const tag = match[2] as string;
  // A weak tag never matches here (RFC 9110, strong comparison).
  return { expectedVersion: match[1] === undefined && VERSION.test(tag) ? Number(tag) : NO_VERSION };
}

/** @throws Problem when If-Match comes with more than one level. */
export function expectedVersionOfOnly(request: FastifyRequest, levels: number): { expectedVersion?: number } {
  const expected = expectedVersion(request);
  if (expected.expectedVersion !== undefined && levels !== 1) {
    throw new Problem('VALIDATION_FAILED', 'If-Match is for requests that write exactly one level.');
  }
  return expected;
}
