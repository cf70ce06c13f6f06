import type { MariadbAccess } from '../../server/src/ledger/mariadb/mariadb-pool.ts';

/** A broker refuses messages for topics that it has just heard of. */
export const SETTLE_MS = 2_000;

/** Where a backlog is, and where it is to be published. */
export interface Backlog {
  access: MariadbAccess;
  bootstrapServers: string;
  /** Of topics that nobody else uses. */
  prefix: string;
  /** The last entry. */
  seq: number;
}
