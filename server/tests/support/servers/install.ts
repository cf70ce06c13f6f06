/** Before the suites: what the servers of the tests need is installed, once; where it cannot be, suites are left out. */

import type { ServerKind } from '../../../../infra/local-server.ts';
import { ensurePrograms } from '../../../../infra/programs/programs.ts';
import { say } from '../../../../infra/progress.ts';
import { ROOT, sweepFolders } from './test-server.ts';

const KINDS: ServerKind[] = ['redis', 'mariadb', 'kafka', 'zookeeper', 'debezium', 'registry'];

export default async function install(): Promise<() => void> {
  sweepFolders();
  for (const kind of KINDS) {
    try {
      await ensurePrograms([kind], ROOT, say);
    } catch (error) {
      say((error as Error).message);
    }
  }
  return sweepFolders;
}
