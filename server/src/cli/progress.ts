import { SingleBar } from 'cli-progress';

export interface Progress {
  done: number;
  total: number;
}

/** A bar on a terminal, nothing elsewhere; on stderr, so that stdout holds the result alone. */
export class ProgressBar {
  readonly #bar: SingleBar | null;
  #started = false;

  constructor(what: string) {
    const format = `${what} [{bar}] {percentage}% {value}/{total}`;
    this.#bar = process.stderr.isTTY ? new SingleBar({ format, stream: process.stderr, hideCursor: true }) : null;
  }

  show({ done, total }: Progress): void {
    if (this.#bar === null) return;
    if (!this.#started) this.#bar.start(total, done);
    this.#started = true;
    this.#bar.setTotal(total);
    this.#bar.update(done);
  }

  end(): void {
    this.#bar?.stop();
  }
}
