/** Findings that are told in full; a fault at the root of a chain shows in everything after it. */
const FINDINGS_MAX = 100;

/** What a proof found wrong, as sentences for a person. */
export class Findings {
  readonly #sentences: string[] = [];
  #count = 0;

  add(sentence: string): void {
    this.#count += 1;
    if (this.#sentences.length < FINDINGS_MAX) this.#sentences.push(sentence);
  }

  get list(): string[] {
    const untold = this.#count - this.#sentences.length;
    return untold === 0 ? [...this.#sentences] : [...this.#sentences, `and ${untold} more`];
  }
}
