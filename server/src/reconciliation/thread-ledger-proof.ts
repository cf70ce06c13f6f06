import type { VerifyReport } from '../application.ts';
import { ThreadClient } from '../threads/thread-client.ts';
import type {
  ClaimedHold,
  ClaimedLevel,
  LedgerProof,
  ProofProgress,
  ProvenProduct,
  Refuted,
  Standing,
} from './ledger-proof.ts';

/** A proof in a thread of its own, whose module calls `serveWalk`. */
export class ThreadLedgerProof implements LedgerProof {
  readonly #thread: ThreadClient;

  constructor(module: URL, workerData: unknown) {
    this.#thread = new ThreadClient(module, workerData);
  }

  step(): Promise<ProofProgress> {
    return this.#thread.call('step');
  }

  nextProducts(levelsMax: number): Promise<ProvenProduct[]> {
    return this.#thread.call('nextProducts', levelsMax);
  }

  nextOpenHolds(limit: number): Promise<string[]> {
    return this.#thread.call('nextOpenHolds', limit);
  }

  refuteLevels(claims: readonly ClaimedLevel[]): Promise<Refuted<ClaimedLevel>[]> {
    return this.#thread.call('refuteLevels', claims);
  }

  refuteHolds(claims: readonly ClaimedHold[]): Promise<Refuted<ClaimedHold>[]> {
    return this.#thread.call('refuteHolds', claims);
  }

  standing(): Promise<Standing[]> {
    return this.#thread.call('standing');
  }

  report(): Promise<VerifyReport> {
    return this.#thread.call('report');
  }

  close(): Promise<void> {
    return this.#thread.close();
  }
}
