/** Files of keys, in a folder that is gone after the test. */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class KeyFile {
  readonly #folder = mkdtempSync(join(tmpdir(), 'holdfast-keys-'));
  readonly path = join(this.#folder, 'event-keys.json');
  readonly #keys: Record<string, string> = {};

  /** A new key, which encrypts from now on. */
  add(id: string): void {
    this.#keys[id] = randomBytes(32).toString('base64');
    this.write({ current: id, keys: this.#keys });
  }

  remove(id: string, current: string): void {
    delete this.#keys[id];
    this.write({ current, keys: this.#keys });
  }

  /** Whole or not at all, as an operator's `mv` does it. */
  write(content: unknown, mode = 0o600): void {
    const draft = `${this.path}.draft`;
    writeFileSync(draft, typeof content === 'string' ? content : JSON.stringify(content));
    chmodSync(draft, mode);
    renameSync(draft, this.path);
  }

  dispose(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
