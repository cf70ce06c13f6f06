/** What went wrong between us and a server that is spoken to over TLS, said so that a person can mend it. */

const UNSIGNED = new Set([
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);
const OUT_OF_DATE = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);
const OTHER_NAME = 'ERR_TLS_CERT_ALTNAME_INVALID';
/** It said something else than TLS, or ended the connection when it heard TLS. */
const NO_TLS = /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$/;
const ENDED_IN_HANDSHAKE = /before secure TLS connection was established/;
/** It ended the handshake, or the connection right behind it: https://www.rfc-editor.org/rfc/rfc8446#section-6 */
const REFUSED_US = /^ERR_SSL_(TLSV\d+|SSLV3|SSL\/TLS)_ALERT_/;

interface CodedError extends Error {
  code?: string;
  /** Of a name that is not in a certificate: both. */
  reason?: string;
}

/** We do not believe who it is; its owner or ours has to do something first. */
export function isUntrusted({ code = '' }: CodedError): boolean {
  return UNSIGNED.has(code) || OUT_OF_DATE.has(code) || code === OTHER_NAME;
}

/** Null: it has nothing to do with TLS. Of an error that wraps others, the first one that has. */
export function tlsFault(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const { code = '', message, reason, cause } = error as CodedError;
  if (UNSIGNED.has(code)) return `its certificate is signed by no authority that we trust (${code})`;
  if (OUT_OF_DATE.has(code)) return `its certificate is out of date (${code})`;
  if (code === OTHER_NAME) return `its certificate is for another name (${(reason ?? message).trim()})`;
  if (NO_TLS.test(code) || ENDED_IN_HANDSHAKE.test(message)) return `it speaks no TLS there (${message})`;
  if (REFUSED_US.test(code)) return `it refuses our certificate, or wants one (${code})`;
  const inner = error instanceof AggregateError ? error.errors : [];
  for (const each of [...inner, cause]) {
    const fault = tlsFault(each);
    if (fault !== null) return fault;
  }
  return null;
}
