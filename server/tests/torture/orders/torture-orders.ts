/**
 * Sends the events of many stories to a real cluster whose nodes and broker are killed again and again, sees to the dead
 * letters as a person would, and holds the end against what the stories say.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Random } from '../../simulation/random.ts';
import { ROOT } from '../../support/servers/test-server.ts';
import { until } from '../../support/servers/until.ts';
import { checkChain } from '../cluster/ledger-judge.ts';
import type { ClusterNode } from '../cluster/node.ts';
import { OrderCluster, type OrderClusterOptions } from './order-cluster.ts';
import { checkEvents, checkKeyOrder, checkLevels, checkOrders, readLedger } from './order-judge.ts';
import { corrected, type OrderEnd, type Stories, tellStories } from './stories.ts';

export interface OrderTortureOptions extends OrderClusterOptions {
  events: number;
  /** Times that a node or the broker is killed, at least. */
  kills: number;
  seed: number;
  onProgress: (text: string) => void;
}

export interface OrderTortureReport {
  kills: number;
  /** By what was killed: the broker, or the roles of a node. */
  killed: Readonly<Record<string, number>>;
  events: number;
  entries: number;
  letters: { corrected: number; redriven: number; dropped: number };
  /** Sent until handled, kills and all. */
  seconds: number;
  findings: string[];
}

const KEPT = join(ROOT, '.infra', 'torture-orders');
const HANDLED_MS_MAX = 1_200_000;
const CLEAN_MS_MAX = 600_000;
const DOWN_MS = [0, 1_500] as const;
const CALM_MS = [500, 2_500] as const;
const LETTERS = '/api/v1/admin/dead-letters';
const LOOK_MS = 500;
const SEEN_AT_ONCE = 16;
/** A letter that is redriven so often speaks of what was lost. */
const REDRIVES_MAX = 10;
/** In a row without anything left to read; a node says for 2 s what it last asked the broker. */
const CALM_LOOKS = 8;

interface Letter {
  id: string;
  code: string;
  status: string;
  key: string | null;
  payload: unknown;
}

export async function tortureOrders(options: OrderTortureOptions): Promise<OrderTortureReport> {
  const cluster = await OrderCluster.start(options);
  const run = new OrderTorture(cluster, options);
  try {
    return await run.run();
  } finally {
    await cluster.stop();
    if (!run.clean) cluster.keepLogs(KEPT);
  }
}

class OrderTorture {
  clean = false;
  readonly #cluster: OrderCluster;
  readonly #options: OrderTortureOptions;
  readonly #stories: Stories;
  readonly #random: Random;
  readonly #letters = { corrected: 0, redriven: 0, dropped: 0 };
  /** Rubbish that was corrected: what it became. */
  readonly #corrected = new Map<string, OrderEnd>();
  /** By letter. */
  readonly #redrives = new Map<string, number>();
  readonly #killed: Record<string, number> = {};
  #kills = 0;
  #sent = false;

  constructor(cluster: OrderCluster, options: OrderTortureOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#stories = tellStories(options.seed, options.events);
    this.#random = new Random(options.seed + 1);
  }

  async run(): Promise<OrderTortureReport> {
    const { onProgress, kills } = this.#options;
    const startedAt = performance.now();
    const hurting = this.#hurt();
    await this.#send();
    await hurting;
    await this.#untilHandled();
    const seconds = (performance.now() - startedAt) / 1_000;
    onProgress(`${this.#kills} kills; all events are handled after ${seconds.toFixed(0)} s`);
    await this.#cleanUp();
    onProgress(`dead letters: ${JSON.stringify(this.#letters)}`);
    const { findings, entries } = await this.#judge();
    if (this.#kills < kills) findings.push(`only ${this.#kills} kills of ${kills}`);
    this.clean = findings.length === 0;
    return {
      kills: this.#kills,
      killed: this.#killed,
      events: this.#stories.messages.length,
      entries,
      letters: this.#letters,
      seconds,
      findings,
    };
  }

  /** In as many parts as there are kills, so that there is something to do at each of them. */
  async #send(): Promise<void> {
    const { messages } = this.#stories;
    const parts = this.#options.kills + 1;
    for (let part = 0; part < parts; part += 1) {
      const [from, to] = [part, part + 1].map((each) => Math.floor((messages.length * each) / parts));
      await this.#cluster.send(messages.slice(from, to));
      this.#options.onProgress(`${to} of ${messages.length} events sent, ${this.#kills} kills`);
      await until('the next kill', HANDLED_MS_MAX, async () => this.#kills >= part || part + 1 === parts);
    }
    this.#sent = true;
  }

  async #hurt(): Promise<void> {
    const { kafka, nodes } = this.#cluster;
    for (; this.#kills < this.#options.kills; this.#kills += 1) {
      await delay(this.#random.between(...CALM_MS));
      const down = this.#random.between(...DOWN_MS);
      if (this.#random.chance(0.3)) {
        await kafka.kill();
        await delay(down);
        await kafka.start();
        this.#count('broker');
      } else {
        const node = this.#random.of(nodes) as ClusterNode;
        await node.kill();
        await delay(down);
        await node.start();
        this.#count(node.roles.join('+'));
      }
    }
  }

  #count(what: string): void {
    this.#killed[what] = (this.#killed[what] ?? 0) + 1;
  }

  /** The group has read all that was sent, and everything that was published is on the wire. */
  async #untilHandled(): Promise<void> {
    let calm = 0;
    await until('all events are handled', HANDLED_MS_MAX, async () => {
      await delay(LOOK_MS);
      const left = (await this.#cluster.lag()) + (await this.#cluster.sumOf('holdfast_consumer_in_flight'));
      calm = left === 0 && this.#sent ? calm + 1 : 0;
      return calm >= CALM_LOOKS;
    });
  }

  /** As a person would: what can be mended is corrected and redriven, what contradicts itself is dropped. */
  async #cleanUp(): Promise<void> {
    await until('the dead letters come to an end', CLEAN_MS_MAX, async () => {
      const open = [...(await this.#open('parked')), ...(await this.#open('waiting'))];
      const parked = open.filter(({ status }) => status === 'parked');
      const seeToAll = async () => {
        for (let letter = parked.pop(); letter !== undefined; letter = parked.pop()) await this.#see(letter);
      };
      await Promise.all(Array.from({ length: SEEN_AT_ONCE }, seeToAll));
      return open.length === 0 || this.#hopeless.length > 0;
    });
  }

  get #hopeless(): string[] {
    return [...this.#redrives].filter(([, times]) => times > REDRIVES_MAX).map(([id]) => id);
  }

  async #open(status: string): Promise<Letter[]> {
    const letters: Letter[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page = await this.#cluster.ask(
        'GET',
        `${LETTERS}?status=${status}&limit=500${cursor && `&cursor=${cursor}`}`,
      );
      letters.push(...(page.items as Letter[]));
      cursor = page.nextCursor as string | null;
    }
    return letters;
  }

  async #see({ id, code, key }: Letter): Promise<void> {
    if (code === 'OTHER_LINES') {
      await this.#cluster.ask('DELETE', `${LETTERS}/${id}`);
      this.#letters.dropped += 1;
      return;
    }
    if (key?.startsWith('rubbish-')) {
      const { text, end } = corrected(key);
      this.#corrected.set(key, end);
      await this.#cluster.ask('PUT', `${LETTERS}/${id}`, { payload: JSON.parse(text) });
      this.#letters.corrected += 1;
    }
    await this.#cluster.ask('POST', `${LETTERS}/${id}/redrive`);
    this.#redrives.set(id, (this.#redrives.get(id) ?? 0) + 1);
    this.#letters.redriven += 1;
  }

  async #judge(): Promise<{ findings: string[]; entries: number }> {
    const { mariadb, kafka, apiNodes } = this.#cluster;
    const stories = this.#stories;
    const end = await readLedger(mariadb);
    const ends = [...stories.ends, ...this.#corrected.values()];
    const rubbish = new Set(stories.messages.flatMap((message) => message.rubbish ?? []));
    const lost = [...rubbish].filter((name) => !this.#corrected.has(name));
    const findings = [
      ...end.findings,
      ...this.#hopeless.map((id) => `dead letter ${id} cannot be redriven`),
      ...lost.map((name) => `${name} is not among the dead letters`),
      ...checkLevels(end, ends, stories),
      ...checkOrders(end, ends),
      ...checkKeyOrder(end, stories),
      ...(await checkChain(mariadb)),
      ...(await checkEvents(end, kafka)),
    ];
    await (apiNodes[0] as ClusterNode).command('verify').catch((error: Error) => findings.push(error.message));
    return { findings, entries: end.entries };
  }
}
