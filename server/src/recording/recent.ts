/** Values that are remembered in each of two generations; the older one is forgotten when the younger is full. */
export const REMEMBERED_MAX = 100_000;

/** When the older generation may be forgotten: some of it may be all that is known. */
export interface Forgetting {
  /** What is remembered now is as of this entry. */
  reached(): number;
  /** May values be forgotten that were remembered up to this entry? */
  mayForget(reached: number): boolean;
}

export const AT_WILL: Forgetting = { reached: () => 0, mayForget: () => true };

/** The turn of generations: true when the younger one shall become the older one. */
class Turn {
  readonly #forgetting: Forgetting;
  readonly #sizeMax: number;
  /** The older generation was remembered up to here. */
  #oldReached = 0;

  constructor(forgetting: Forgetting, sizeMax: number) {
    this.#forgetting = forgetting;
    this.#sizeMax = sizeMax;
  }

  isDue(size: number): boolean {
    if (size < this.#sizeMax || !this.#forgetting.mayForget(this.#oldReached)) return false;
    this.#oldReached = this.#forgetting.reached();
    return true;
  }
}

/** Remembers the newest values: at least the last `sizeMax` distinct keys. */
export class Recent<T> {
  #young = new Map<string, T>();
  #old = new Map<string, T>();
  readonly #turn: Turn;

  constructor(forgetting = AT_WILL, sizeMax = REMEMBERED_MAX) {
    this.#turn = new Turn(forgetting, sizeMax);
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: string): T | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  set(key: string, value: T): void {
    this.#young.set(key, value);
    if (!this.#turn.isDue(this.#young.size)) return;
    this.#old = this.#young;
    this.#young = new Map();
  }
}

type Tree<T> = Map<string, Map<string, Map<string, T>>>;

/**
 * The same by three keys, without joining them: a joined key is a new string, to be made and hashed for every line of
 * every entry (1.4 s of an import of 1 000 000 rows).
 */
export class RecentByPath<T> {
  #young: Tree<T> = new Map();
  #old: Tree<T> = new Map();
  #size = 0;
  #oldSize = 0;
  readonly #turn: Turn;

  constructor(forgetting = AT_WILL, sizeMax = REMEMBERED_MAX) {
    this.#turn = new Turn(forgetting, sizeMax);
  }

  get size(): number {
    return this.#size + this.#oldSize;
  }

  get(first: string, second: string, third: string): T | undefined {
    return this.#young.get(first)?.get(second)?.get(third) ?? this.#old.get(first)?.get(second)?.get(third);
  }

  set(first: string, second: string, third: string, value: T): void {
    const leaf = branchOf(branchOf(this.#young, first), second);
    const sizeBefore = leaf.size;
    leaf.set(third, value);
    this.#size += leaf.size - sizeBefore;
    if (!this.#turn.isDue(this.#size)) return;
    this.#old = this.#young;
    this.#oldSize = this.#size;
    this.#young = new Map();
    this.#size = 0;
  }
}

function branchOf<T>(tree: Map<string, Map<string, T>>, key: string): Map<string, T> {
  let branch = tree.get(key);
  if (branch === undefined) {
    branch = new Map();
    tree.set(key, branch);
  }
  return branch;
}
