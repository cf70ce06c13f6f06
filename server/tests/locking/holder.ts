import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { LockAddress } from './lock-adapters.ts';

/** Drives `holder-process.ts`. */
export class Holder {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(address: LockAddress, key: string, ttlMs: number) {
    const script = join(import.meta.dirname, 'holder-process.ts');
    const args = [script, JSON.stringify(address), key, String(ttlMs)];
    this.#process = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#process.stdout! })[Symbol.asyncIterator]();
  }

  /** The next line that it says. */
  async said(): Promise<string> {
    const { value, done } = await this.#lines.next();
    return done ? 'ended' : (value as string);
  }

  /** Its fencing token, once it holds the key. */
  async holds(): Promise<number> {
    const [word, token] = (await this.said()).split(' ');
    if (word !== 'held') throw new Error(`instead of holding it: ${word}`);
    return Number(token);
  }

  giveBack(): void {
    this.#process.stdin?.write('\n');
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exit = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exit;
  }
}
