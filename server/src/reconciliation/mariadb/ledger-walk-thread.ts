/** The thread that proves: it reads and computes for as long as the ledger is long. */
import { workerData } from 'node:worker_threads';
import type { MariadbAccess } from '../../ledger/mariadb/mariadb-pool.ts';
import type { KnownHead } from '../ledger-proof.ts';
import { serveWalk } from '../serve-walk.ts';
import { MariadbWalkSource } from './mariadb-walk-source.ts';

const { access, knownHead } = workerData as { access: MariadbAccess; knownHead: KnownHead | null };
serveWalk(new MariadbWalkSource(access), knownHead);
