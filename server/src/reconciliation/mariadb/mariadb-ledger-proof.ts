import type { MariadbAccess } from '../../ledger/mariadb/mariadb-pool.ts';
import type { KnownHead } from '../ledger-proof.ts';
import { ThreadLedgerProof } from '../thread-ledger-proof.ts';

/** A proof of the ledger and the projections of one database; both must be there, with a projector at work somewhere. */
export class MariadbLedgerProof extends ThreadLedgerProof {
  constructor(access: MariadbAccess, knownHead: KnownHead | null) {
    super(new URL('./ledger-walk-thread.ts', import.meta.url), { access, knownHead });
  }
}
