/** What every fault cost, and how it was found. */
interface Blow {
  name: string;
  /** The longest that one HQ's callers went without an answer. */
  interruptedMs: number;
  /** From the damage to the first node that said so; null: none had to. */
  noticedMs: number | null;
}

export class Tally {
  readonly #blows: Blow[] = [];

  add(blow: Blow): void {
    this.#blows.push(blow);
  }

  /** A line for each fault: how often, how long callers waited, how soon it was noticed. */
  lines(): string[] {
    const names = [...new Set(this.#blows.map(({ name }) => name))];
    const width = Math.max(...names.map((name) => name.length));
    return names.map((name) => {
      const blows = this.#blows.filter((blow) => blow.name === name);
      const interrupted = blows.map(({ interruptedMs }) => interruptedMs);
      const noticed = blows.map(({ noticedMs }) => noticedMs).filter((ms) => ms !== null);
      const found = noticed.length === 0 ? '' : `  noticed after p50 ${p50(noticed)}, max ${Math.max(...noticed)} ms`;
      const times = `${blows.length}`.padStart(3);
      return `${name.padEnd(width)} ${times} ×  no answer for p50 ${p50(interrupted)}, max ${Math.max(...interrupted)} ms${found}`;
    });
  }
}

function p50(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor((values.length - 1) / 2)] as number;
}
