/** The files that outlive a simulated process. Kept in memory where the machine can; crashes here are of processes. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Parts } from './parts.ts';

const ROOT = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const FILES = ['ledger.db', 'operations.db', 'projections.db'];

export class Disks {
  readonly #folder = mkdtempSync(join(ROOT, 'holdfast-simulation-'));
  #count = 0;

  /** Creates empty databases once; every disk begins as a copy of them. */
  async prepare(parts: Parts): Promise<void> {
    const folder = join(this.#folder, 'new');
    mkdirSync(folder);
    const ledger = await parts.openLedgerDatabase(join(folder, 'ledger.db'), { synchronous: 'OFF' });
    const { installationId } = new parts.SqliteLedgerStore(ledger).identity();
    parts.openProjections(join(folder, 'projections.db'), installationId, 0).database.close();
    ledger.close();
  }

  create(): string {
    this.#count += 1;
    const folder = join(this.#folder, String(this.#count));
    mkdirSync(folder);
    for (const file of FILES) {
      const from = join(this.#folder, 'new', file);
      if (existsSync(from)) copyFileSync(from, join(folder, file));
    }
    return folder;
  }

  remove(folder: string): void {
    rmSync(folder, { recursive: true, force: true });
  }

  dispose(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
