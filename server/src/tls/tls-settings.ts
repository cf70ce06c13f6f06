/**
 * How a server of a cluster is spoken to over TLS. Its certificate, and the name under which it was asked, are always
 * verified: there is no way to leave that out.
 */
import { isIP } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';

/** Plain data, so that it can be given to a thread. */
export interface TlsSettings {
  /** PEM: the authorities that may have signed its certificate. Without: those that Node knows. */
  ca?: string;
  /** PEM: our own certificate, and its key, for servers that ask for one. */
  client?: { certificate: string; key: string };
}

export interface Verification {
  secureContext: SecureContext;
  rejectUnauthorized: true;
}

/** For many connections: reading the authorities takes longer than connecting. */
export function verificationBy({ ca, client }: TlsSettings): Verification {
  const secureContext = createSecureContext({
    ...(ca === undefined ? {} : { ca }),
    ...(client === undefined ? {} : { cert: client.certificate, key: client.key }),
  });
  // Or else NODE_TLS_REJECT_UNAUTHORIZED could turn it off.
  return { secureContext, rejectUnauthorized: true };
}

/** What the server hears of the name under which it is asked, for some serve many; an address is no name (RFC 6066). */
export function serverNameOf(host: string): { servername?: string } {
  return isIP(host) === 0 ? { servername: host } : {};
}
