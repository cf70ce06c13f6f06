import { hash } from 'node:crypto';

/** What the first entry of a partition follows: it differs between installations. */
export function genesisHash(installationId: string, partition: number): string {
  return hash('sha256', `holdfast\n${installationId}\n${partition}`, 'hex');
}

/** The hash of an entry: SHA-256 over the hash before it and its text, in hexadecimal. */
export function chainHash(previous: string, body: string): string {
  return hash('sha256', `${previous}\n${body}`, 'hex');
}
