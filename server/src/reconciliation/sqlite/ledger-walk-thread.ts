/** The thread that proves: it reads and computes for as long as the ledger is long. */
import { setPriority } from 'node:os';
import { workerData } from 'node:worker_threads';
import { openConnection } from '../../ledger/sqlite/open-database.ts';
import { serveThread } from '../../threads/serve-thread.ts';
import type { ClaimedHold, ClaimedLevel, KnownHead } from '../ledger-proof.ts';
import { LedgerWalk } from './ledger-walk.ts';

const NICENESS = 10;

const { file, ledgerFile, knownHead } = workerData as { file: string; ledgerFile: string; knownHead: KnownHead | null };
// Linux keeps a priority per thread; elsewhere it would be the whole process's.
if (process.platform === 'linux') setPriority(0, NICENESS);
const ledger = openConnection(ledgerFile, { readOnly: true });
const projections = openConnection(file, { readOnly: true });
const walk = new LedgerWalk({ ledger, projections, knownHead, now: () => performance.now() });

serveThread({
  step: () => walk.step(),
  nextProducts: (levelsMax: number) => walk.nextProducts(levelsMax),
  nextOpenHolds: (limit: number) => walk.nextOpenHolds(limit),
  refuteLevels: (claims: ClaimedLevel[]) => walk.refuteLevels(claims),
  refuteHolds: (claims: ClaimedHold[]) => walk.refuteHolds(claims),
  standing: () => walk.standing(),
  report: () => walk.report(),
  close() {
    ledger.close();
    projections.close();
  },
});
