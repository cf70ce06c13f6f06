/**
 * Hurts a cluster again and again while tills sell at it, and holds all that was acknowledged against what is there:
 * nothing lost, nothing double, nothing oversold, no entry skipped, and it serves on by itself.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { partitionOf } from '../../../src/stock/identifiers.ts';
import { ROOT } from '../../support/servers/test-server.ts';
import { until } from '../../support/servers/until.ts';
import { checkAnswers, checkSums } from '../judge.ts';
import { HQS, TortureCluster } from './cluster.ts';
import { type Fault, faults } from './faults.ts';
import { Interruption } from './interruption.ts';
import { checkChain, checkPublished, checkQuantities, checkRecorded } from './ledger-judge.ts';
import { Tally } from './tally.ts';

export interface ClusterTortureOptions {
  /** Times that a process is killed or suspended, at least: every fault strikes once in each pass. */
  kills: number;
  /** How often the database is put back to an older backup. */
  restores: number;
  /** Sellers of each HQ. */
  sellers: number;
  onProgress: (text: string) => void;
  /** The faults, by name; left out: all of them. */
  only?: readonly string[];
  /** Other sources than the repository's own. */
  sources?: string;
}

export interface ClusterTortureReport {
  kills: number;
  acknowledged: number;
  repeats: number;
  /** One for each kind of fault. */
  lines: string[];
  findings: string[];
}

const BACK_MS_MAX = 60_000;
const NOTICED_MS_MAX = 5_000;
const CALM_MS = [300, 1_200] as const;
const KEPT = join(ROOT, '.infra', 'torture-cluster');
const RESTORED = 'MariaDB is put back to an older backup';
const WAITS = 'a partition waits for an operator';
const OLDER_MS = 2_000;
/** How long a database that was put back is watched for what it must not do. */
const HALTED_MS = 3_000;

export async function tortureCluster(options: ClusterTortureOptions): Promise<ClusterTortureReport> {
  const cluster = await TortureCluster.start(options.sources);
  const run = new ClusterTorture(cluster, options);
  try {
    return await run.run();
  } finally {
    await cluster.stop();
    if (run.findings.length > 0 || !run.finished) cluster.keepLogs(KEPT);
  }
}

class ClusterTorture {
  readonly findings: string[] = [];
  finished = false;
  readonly #cluster: TortureCluster;
  readonly #options: ClusterTortureOptions;
  readonly #tally = new Tally();
  /** Up to where the answers of each HQ were looked for in the ledger. */
  readonly #looked = new Map<string, number>();
  #kills = 0;

  constructor(cluster: TortureCluster, options: ClusterTortureOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  async run(): Promise<ClusterTortureReport> {
    const { kills, restores, sellers, onProgress, only } = this.#options;
    const chosen = faults.filter(({ name }) => only === undefined || only.includes(name));
    this.#cluster.sell(sellers);
    for (let pass = 0; this.#kills < kills && pass < kills; pass += 1) {
      for (const fault of shuffled(chosen)) if (this.#goesOn) await this.#strike(fault);
      if (!this.#goesOn) break;
    }
    for (let restore = 0; this.#goesOn && restore < restores; restore += 1) await this.#restore();
    await this.#cluster.rest();
    if (this.#goesOn) {
      onProgress(`${this.#count('acknowledged')} answers are asked for again`);
      await this.#judge();
    }
    this.finished = true;
    return {
      kills: this.#kills,
      acknowledged: this.#count('acknowledged'),
      repeats: this.#count('repeats'),
      lines: this.#tally.lines(),
      findings: this.findings,
    };
  }

  get #goesOn(): boolean {
    this.#cluster.complain();
    return this.findings.length === 0;
  }

  #count(what: 'acknowledged' | 'repeats'): number {
    const tills = [...this.#cluster.tills.values()];
    return tills.reduce((sum, till) => sum + (what === 'repeats' ? till.repeats : till.acknowledged.length), 0);
  }

  async #strike(fault: Fault): Promise<void> {
    const cluster = this.#cluster;
    await delay(CALM_MS[0] + Math.random() * (CALM_MS[1] - CALM_MS[0]));
    const interruption = new Interruption(cluster.tills.values());
    const at = await fault.strike(cluster);
    const noticedMs = fault.noticedBy === undefined ? null : await this.#noticed(fault.name, at, fault.noticedBy);
    await this.#servesAgain(fault.name);
    const interruptedMs = interruption.end();
    if (fault.kills) this.#kills += 1;
    this.#tally.add({ name: fault.name, interruptedMs, noticedMs });
    this.#options.onProgress(
      `${this.#kills} of ${this.#options.kills} kills: ${fault.name}, no answer for ${interruptedMs} ms` +
        `${noticedMs === null ? '' : `, noticed after ${noticedMs} ms`}; ${this.#count('acknowledged')} acknowledged`,
    );
    if (fault.mend !== undefined) {
      await fault.mend(cluster);
      await this.#servesAgain(`${fault.name}, mended`);
    }
    await this.#look();
  }

  /** How long it took until all of it was said; null: some of it was not. */
  async #noticed(name: string, at: number, messages: readonly string[]): Promise<number | null> {
    const said = () => messages.map((message) => this.#cluster.saidSince(at, message));
    try {
      await until(`${name} is noticed`, NOTICED_MS_MAX, async () => said().every((saidAt) => saidAt !== null));
    } catch (error) {
      this.findings.push((error as Error).message);
    }
    const times = said().filter((saidAt) => saidAt !== null);
    return times.length < messages.length ? null : Math.max(...times) - at;
  }

  /** Every HQ has the answer to a request that was made after this was called. */
  async #servesAgain(name: string): Promise<void> {
    let served = 0;
    const tills = [...this.#cluster.tills.values()];
    for (const till of tills) void till.receive('S1', 'P1', 1).then(() => (served += 1));
    try {
      await until(`after "${name}", service is back`, BACK_MS_MAX, async () => served === tills.length);
    } catch (error) {
      this.findings.push((error as Error).message);
    }
  }

  /** What was told since the last look is in the ledger, which skipped nothing. */
  async #look(): Promise<void> {
    this.findings.push(...(await checkChain(this.#cluster.mariadb)));
    for (const [hqId, till] of this.#cluster.tills) {
      const told = till.acknowledged.length;
      const from = this.#looked.get(hqId) ?? 0;
      this.findings.push(...(await checkRecorded(this.#cluster.mariadb, hqId, till, from)));
      this.#looked.set(hqId, told);
    }
  }

  /** Nobody is told anything until an operator accepts that what the backup lacks is lost. */
  async #restore(): Promise<void> {
    const cluster = this.#cluster;
    const tills = [...cluster.tills.values()];
    await cluster.rest();
    await this.#look();
    const backup = await cluster.backUp();
    const marks = tills.map((till) => till.mark());
    cluster.sell(this.#options.sellers);
    await this.#servesAgain('MariaDB is stopped for a backup');
    await delay(OLDER_MS);
    await cluster.rest();
    for (const [index, till] of tills.entries()) till.forgetSince(marks[index] as (typeof marks)[number]);
    this.#looked.clear();
    await cluster.restore(backup);
    const at = Date.now();
    const interruption = new Interruption(tills);
    cluster.sell(this.#options.sellers);
    const noticedMs = await this.#noticed(RESTORED, at, [WAITS]);
    await this.#waitsForOperator();
    await cluster.serving[0]?.command('partitions', 'resume', 'all');
    await this.#servesAgain(RESTORED);
    this.#tally.add({ name: RESTORED, interruptedMs: interruption.end(), noticedMs });
    this.#options.onProgress(`${RESTORED}: halted after ${noticedMs} ms, and resumed`);
    await this.#look();
  }

  async #waitsForOperator(): Promise<void> {
    const [node] = this.#cluster.serving;
    const before = this.#count('acknowledged');
    await delay(HALTED_MS);
    const told = this.#count('acknowledged') - before;
    if (told > 0) this.findings.push(`${told} answers were given by a ledger that went back`);
    const listed = JSON.parse((await node?.command('partitions', '--json')) ?? '[]') as {
      partition: number;
      waiting: { wait: string } | null;
    }[];
    for (const hqId of HQS) {
      const partition = partitionOf(hqId);
      const wait = listed.find((row) => row.partition === partition)?.waiting?.wait ?? 'nothing';
      if (wait === 'ledger-went-back') continue;
      this.findings.push(`${hqId} was put back to an older state and its partition waits for ${wait}`);
    }
  }

  async #judge(): Promise<void> {
    const { tills, mariadb, kafka, serving } = this.#cluster;
    for (const till of tills.values()) await checkAnswers(till, this.findings);
    await this.#look();
    this.findings.push(...(await checkQuantities(mariadb)), ...(await checkPublished(mariadb, kafka)));
    // A reservation that was lost cannot be asked for what it holds.
    if (this.findings.length === 0)
      await Promise.all([...tills.values()].map((till) => checkSums(till, this.findings)));
    try {
      await serving[0]?.command('verify');
    } catch (error) {
      const { stdout = '', stderr = String(error) } = error as { stdout?: string; stderr?: string };
      this.findings.push(`holdfast verify: ${stdout}${stderr}`);
    }
  }
}

function shuffled<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, at: Math.random() }))
    .sort((one, other) => one.at - other.at)
    .map(({ value }) => value);
}
