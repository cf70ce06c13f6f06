/** One run of a plan: the world, its steps, the calm after them, and the last questions. */
import { partitionOf } from '../../src/stock/identifiers.ts';
import type { CommandRequest } from '../../src/stock/stock-engine.ts';
import { differences } from '../model/model-differences.ts';
import { Clients } from './clients.ts';
import type { Disks } from './disk.ts';
import { Judge, type Problem } from './judge.ts';
import type { Parts } from './parts.ts';
import { type Plan, PRODUCT_IDS, STORE_IDS, type Step } from './plan.ts';
import { Random } from './random.ts';
import { Scheduler } from './scheduler.ts';
import { SimulatedProcess } from './simulated-process.ts';
import { World } from './world.ts';

export interface Result {
  problems: Problem[];
  entries: number;
  crashes: number;
}

const RESTART_MS = 800;
const CALM_MS_MAX = 3_600_000;
const UNSET = { safetyStock: null, lowThreshold: null };

export async function simulate(plan: Plan, parts: Parts, disks: Disks): Promise<Result> {
  const folder = disks.create();
  const scheduler = new Scheduler();
  const judge = new Judge();
  const world = new World({ parts, plan, scheduler, judge, folder, disks, random: new Random(plan.seed ^ 0x5eed) });
  const run = new Run(world);
  try {
    await run.go();
  } catch (error) {
    judge.blame('internal error', (error as Error).stack ?? String(error));
  } finally {
    await run.end();
    disks.remove(folder);
  }
  return { problems: judge.problems, entries: judge.entries.length, crashes: run.crashes };
}

class Run {
  readonly #world: World;
  readonly #clients: Clients;
  #server: SimulatedProcess | null = null;
  crashes = 0;

  constructor(world: World) {
    this.#world = world;
    this.#clients = new Clients(world, () => this.#server);
  }

  async go(): Promise<void> {
    const { scheduler, plan, judge } = this.#world;
    await this.#start();
    await this.#prelude();
    let at = scheduler.nowMs;
    for (const step of plan.steps) {
      at += step.gapMs;
      scheduler.after(at - scheduler.nowMs, () => this.#perform(step));
    }
    while (judge.problems.length === 0 && (await scheduler.step(at)));
    if (judge.problems.length > 0) return;
    await this.#calm();
    if (judge.problems.length > 0) return;
    await this.#finalChecks();
  }

  /** What every run begins with: two stores, two products, a little stock. */
  async #prelude(): Promise<void> {
    const { plan, scheduler } = this.#world;
    const server = this.#server as SimulatedProcess;
    const stocked = STORE_IDS.flatMap((storeId) =>
      PRODUCT_IDS.map((productId) => ({ storeId, productId, quantity: plan.stock })),
    );
    const asks: Promise<unknown>[] = [];
    for (const hqId of plan.hqIds) {
      const ask = (command: CommandRequest['command']) => asks.push(server.execute(requestOf(hqId, null, command)));
      for (const storeId of ['S1', 'S2']) ask({ type: 'configure-store', storeId, settings: UNSET });
      for (const productId of PRODUCT_IDS) ask({ type: 'configure-product', productId, settings: UNSET });
      ask({ type: 'receive', items: stocked });
    }
    let done = false;
    void Promise.all(asks).then(() => {
      done = true;
    });
    while (!done && (await scheduler.step(scheduler.nowMs + 60_000)));
  }

  #perform(step: Step): void {
    const { move } = step;
    const server = this.#server;
    switch (move.do) {
      case 'fault':
        if (move.fault !== 'crash-now') this.#world.armed.push(move.fault);
        else server?.crash('now');
        return;
      case 'clock':
        this.#world.skewMs += move.jumpMs;
        return;
      case 'fold':
        if (server !== null && !server.dead) server.fold();
        return;
      default:
        this.#clients.perform(step);
    }
  }

  async #start(): Promise<void> {
    const { scheduler, judge, plan } = this.#world;
    const server = new SimulatedProcess(this.#world, () => this.#crashed());
    scheduler.busy += 1;
    try {
      await server.start();
      this.#server = server;
    } catch (error) {
      if (!(error as Error).message.includes('simulated'))
        judge.blame('start', (error as Error).stack ?? String(error));
      server.crash('it could not start');
      return;
    } finally {
      scheduler.busy -= 1;
    }
    const over = { hqIds: plan.hqIds, storeIds: STORE_IDS, productIds: PRODUCT_IDS };
    for (const problem of this.#apartFromVersionless(server, over)) judge.blame('engine after a start', problem);
  }

  /** Before anything is decided, the engine stands where the ledger does. */
  #apartFromVersionless(server: SimulatedProcess, over: Parameters<typeof differences>[2]): string[] {
    return this.#world.judge.entries.length === 0 ? [] : differences(server.engine, this.#world.judge.model, over);
  }

  #crashed(): void {
    const { scheduler, random } = this.#world;
    this.crashes += 1;
    this.#server = null;
    scheduler.after(random.between(1, RESTART_MS), () => void this.#start());
  }

  /** Nothing goes wrong any more: every operation gets its answer, every hold its end. */
  async #calm(): Promise<void> {
    const { scheduler, judge } = this.#world;
    this.#world.calm = true;
    this.#world.armed.length = 0;
    // A clock that was set back would keep holds for as long as it was.
    this.#world.skewMs = Math.max(this.#world.skewMs, 7_200_000);
    await this.#until('operations are answered', () => this.#server !== null && this.#clients.settled);
    await this.#until('holds end', () =>
      [...judge.model.hqs.values()].every((hq) =>
        [...hq.holds.values()].every(({ status }) => status !== 'active' && status !== 'partly_confirmed'),
      ),
    );
    await this.#until('second decisions are undone', () => this.#undone());
    await this.#until('the relay has published all', () => this.#published());
    for (const problem of this.#clients.forgotten()) judge.blame('answered at all', problem);
    await scheduler.settle();
  }

  #undone(): boolean {
    const { judge } = this.#world;
    const twice = judge.entries.filter((entry) => entry.duplicateOf !== null && entry.lines.length > 0);
    return twice.every(({ hqId, partition, seq }) => judge.entryOf(hqId, `undo/${partition}/${seq}`) !== undefined);
  }

  #published(): boolean {
    const relay = this.#server?.relay;
    const { entries } = this.#world.judge;
    return relay !== undefined && entries.every(({ partition, seq }) => relay.publishedSeq(partition) >= seq);
  }

  async #until(what: string, reached: () => boolean): Promise<void> {
    const { scheduler, judge } = this.#world;
    const untilMs = scheduler.nowMs + CALM_MS_MAX;
    while (judge.problems.length === 0 && !reached()) {
      if (await scheduler.step(untilMs)) continue;
      for (const problem of this.#clients.forgotten()) judge.blame('answered at all', problem);
      judge.blame('comes to an end', `within an hour of calm it never came about that ${what}`);
    }
  }

  async #finalChecks(): Promise<void> {
    const { judge, plan } = this.#world;
    this.#clients.checkRefused();
    judge.checkEvents();
    this.#checkStock();
    this.#checkHistory();
    if (judge.problems.length > 0) return;
    const before = stockOf(judge, plan);
    this.#server?.crash('for the last time');
    await this.#until('the process is up', () => this.#server !== null);
    await this.#askAllAgain();
    await this.#until('second decisions are undone', () => this.#undone());
    if (judge.problems.length === 0 && stockOf(judge, plan) !== before)
      judge.blame('one effect', `asking again changed the stock from ${before} to ${stockOf(judge, plan)}`);
    this.#checkStock();
  }

  #checkStock(): void {
    const { judge, plan } = this.#world;
    const over = { hqIds: plan.hqIds, storeIds: STORE_IDS, productIds: PRODUCT_IDS };
    const server = this.#server as SimulatedProcess;
    for (const problem of differences(server.engine, judge.model, over)) judge.blame('engine at rest', problem);
    for (const [hqId, hq] of judge.model.hqs) {
      for (const productId of PRODUCT_IDS) {
        const shown = server.engine.totals(hqId, productId)?.updatedAt ?? 0;
        const changed = judge.lastChangeOf(hqId, productId);
        if (shown !== changed)
          judge.blame('engine at rest', `${hqId} ${productId} changed at ${changed}, says ${shown}`);
      }
      for (const level of hq.levels.values())
        if (level.reserved !== 0)
          judge.blame('engine at rest', `${hqId} ${level.storeId}/${level.productId} keeps ${level.reserved} reserved`);
    }
  }

  /** The history, once caught up, is what was recorded. */
  #checkHistory(): void {
    const { judge } = this.#world;
    const server = this.#server as SimulatedProcess;
    server.catchUp();
    for (const [hqId, hq] of judge.model.hqs) {
      const { items } = server.history.levels({ hqId, after: null, limit: 500 });
      const shown = items.map((row) => `${row.storeId}/${row.productId} ${row.onHand}/${row.reserved}`).sort();
      const known = [...hq.levels.values()]
        .map((level) => `${level.storeId}/${level.productId} ${level.onHand}/${level.reserved}`)
        .sort();
      if (shown.join() !== known.join())
        judge.blame('history', `levels of ${hqId}: ${shown.join(', ')}; recorded: ${known.join(', ')}`);
      for (const hold of hq.holds.values()) {
        const found = server.history.reservation(hold.id);
        if (found?.hqId !== hqId || found.hold.status !== hold.status)
          judge.blame('history', `reservation ${hold.id} is ${found?.hold.status}, recorded is ${hold.status}`);
      }
    }
  }

  /** Every operation once more, after a restart and past the window: the first answer, and no second effect. */
  async #askAllAgain(): Promise<void> {
    const { judge, scheduler } = this.#world;
    let open = 0;
    for (const entry of [...judge.entries]) {
      const { hqId, operationId, fingerprint, command } = entry;
      if (operationId === null || operationId.startsWith('undo/')) continue;
      const server = this.#server as SimulatedProcess;
      const asked = { hqId, operationId, body: fingerprint, recordedBefore: judge.entries.length };
      const again =
        command.type === 'reserve'
          ? { ...command, reservationId: `rsv_${partitionOf(hqId)}_${this.#world.random.hex96()}` }
          : command;
      open += 1;
      void server.execute({ ...requestOf(hqId, operationId, again), fingerprint }).then(
        (execution) => {
          open -= 1;
          judge.answered(asked, execution);
          if (execution.status !== 'recorded')
            judge.blame('same answer', `${operationId}, asked again at the end, is answered ${execution.status}`);
        },
        (error: Error) => judge.blame('internal error', error.stack ?? error.message),
      );
    }
    await scheduler.settle();
    await this.#until('all that was asked again is answered', () => open === 0);
  }

  /** Lets go of the files. */
  async end(): Promise<void> {
    this.#world.calm = true;
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    server.dead = true;
    server.close();
    await this.#world.scheduler.settle();
  }
}

function stockOf(judge: Judge, plan: Plan): string {
  const shown = plan.hqIds.flatMap((hqId) =>
    [...judge.model.hq(hqId).levels.values()].map(
      (level) => `${hqId} ${level.storeId}/${level.productId} ${level.onHand}/${level.reserved}`,
    ),
  );
  return shown.join(', ');
}

function requestOf(hqId: string, operationId: string | null, command: CommandRequest['command']): CommandRequest {
  const actor = { subject: 'simulation', role: 'admin' };
  return {
    hqId,
    operationId,
    fingerprint: null,
    command,
    actor,
    origin: 'simulation',
    correlationId: 'simulation',
    causationId: null,
  };
}
