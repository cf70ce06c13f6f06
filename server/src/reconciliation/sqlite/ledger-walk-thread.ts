/** The thread that proves: it reads and computes for as long as the ledger is long. */
import { workerData } from 'node:worker_threads';
import { openConnection } from '../../ledger/sqlite/open-database.ts';
import type { KnownHead } from '../ledger-proof.ts';
import { serveWalk } from '../serve-walk.ts';
import { SqliteWalkSource } from './sqlite-walk-source.ts';

const { file, ledgerFile, knownHead } = workerData as { file: string; ledgerFile: string; knownHead: KnownHead | null };
const ledger = openConnection(ledgerFile, { readOnly: true });
const projections = openConnection(file, { readOnly: true });
serveWalk(new SqliteWalkSource(ledger, projections), knownHead);
