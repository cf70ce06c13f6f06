import { setPriority } from 'node:os';
import { serveThread } from '../threads/serve-thread.ts';
import type { ClaimedHold, ClaimedLevel, KnownHead } from './ledger-proof.ts';
import { LedgerWalk } from './ledger-walk.ts';
import type { WalkSource } from './walk-source.ts';

const NICENESS = 10;

/** Serves a walk to a `ThreadLedgerProof`, below the threads that callers wait for. */
export function serveWalk(source: WalkSource, knownHead: KnownHead | null): void {
  // Linux keeps a priority per thread; elsewhere it would be the whole process's.
  if (process.platform === 'linux') setPriority(0, NICENESS);
  const walk = new LedgerWalk({ source, knownHead, now: () => performance.now() });
  serveThread({
    step: () => walk.step(),
    nextProducts: (levelsMax: number) => walk.nextProducts(levelsMax),
    nextOpenHolds: (limit: number) => walk.nextOpenHolds(limit),
    refuteLevels: (claims: ClaimedLevel[]) => walk.refuteLevels(claims),
    refuteHolds: (claims: ClaimedHold[]) => walk.refuteHolds(claims),
    standing: () => walk.standing(),
    report: () => walk.report(),
    close: () => source.close(),
  });
}
