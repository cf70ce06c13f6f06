/** What the parts of one simulation share. */
import type { Disks } from './disk.ts';
import type { Judge } from './judge.ts';
import type { Parts } from './parts.ts';
import type { Fault, Plan } from './plan.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

/** Wall clocks begin here; the simulated one jumps from there. */
const BEGINNING = Date.UTC(2026, 0, 5, 9);

export class World {
  readonly parts: Parts;
  readonly plan: Plan;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly judge: Judge;
  readonly folder: string;
  readonly disks: Disks;
  /** How far the machine's clock is off. */
  skewMs = 0;
  /** Faults that wait for their moment. */
  readonly armed: Fault[] = [];
  /** From then on nothing goes wrong any more. */
  calm = false;

  constructor(init: Pick<World, 'parts' | 'plan' | 'scheduler' | 'random' | 'judge' | 'folder' | 'disks'>) {
    this.parts = init.parts;
    this.plan = init.plan;
    this.scheduler = init.scheduler;
    this.random = init.random;
    this.judge = init.judge;
    this.folder = init.folder;
    this.disks = init.disks;
  }

  /** Epoch milliseconds, as the machine believes. */
  clock = (): number => BEGINNING + this.scheduler.nowMs + this.skewMs;

  /** True when one of these faults is armed; it strikes now and is armed no more. */
  strikes(...faults: Fault[]): Fault | null {
    const index = this.armed.findIndex((fault) => faults.includes(fault));
    return index < 0 ? null : (this.armed.splice(index, 1)[0] as Fault);
  }
}
