import type { KnownHead } from '../ledger-proof.ts';
import { ThreadLedgerProof } from '../thread-ledger-proof.ts';

/** A proof of `ledger.db` and `projections.db`; both must be open, with a projector at work. */
export class SqliteLedgerProof extends ThreadLedgerProof {
  constructor(files: { file: string; ledgerFile: string }, knownHead: KnownHead | null) {
    super(new URL('./ledger-walk-thread.ts', import.meta.url), { ...files, knownHead });
  }
}
