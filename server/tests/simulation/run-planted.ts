/** Plants one bug after the other in a copy of the sources and runs seeds until an oracle finds it. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Disks } from './disk.ts';
import { loadParts, type Parts, SOURCES } from './parts.ts';
import { planOf } from './plan.ts';
import { type PlantedBug, plantedBugs } from './planted-bugs.ts';
import { simulate } from './simulate.ts';

const SEEDS_MAX = 300;
/** Below the repository, so that the copies find its packages. */
const COPIES = join(import.meta.dirname, '../../../.infra', `planted-${process.pid}`);

interface Catch {
  seed: number;
  oracle: string;
}

/** 0 when every planted bug is caught. */
export async function runPlanted(only?: string): Promise<number> {
  const bugs = plantedBugs.filter(({ name }) => only === undefined || name.includes(only));
  let missed = 0;
  try {
    for (const [index, bug] of bugs.entries()) {
      const caught = await firstCatch(bug, join(COPIES, String(index)));
      if (caught === null) missed += 1;
      const by = caught === null ? `NOT CAUGHT in ${SEEDS_MAX} seeds` : `seed ${caught.seed}, by "${caught.oracle}"`;
      console.log(`${bug.name.padEnd(70)} ${by}`);
    }
  } finally {
    rmSync(COPIES, { recursive: true, force: true });
  }
  console.log(`\n${bugs.length - missed} of ${bugs.length} planted bugs were caught`);
  return missed === 0 ? 0 : 1;
}

/** Does the work with the parts of a copy of the sources that has this bug in it. */
export function withBug<T>(name: string, work: (parts: Parts) => Promise<T>): Promise<T> {
  return withPlantedBug(name, async (sources) => work(await loadParts(sources)));
}

/** Likewise, with the folder of that copy, which is removed after it. */
export async function withPlantedBug<T>(name: string, work: (sources: string) => Promise<T>): Promise<T> {
  const bug = plantedBugs.find((candidate) => candidate.name.includes(name));
  if (bug === undefined) throw new Error(`there is no planted bug "${name}"`);
  return withSourcesOf(bug, work);
}

/** Does the work with the folder of a copy of the sources that has this bug in it, and removes that after it. */
export async function withSourcesOf<T>(bug: PlantedBug, work: (sources: string) => Promise<T>): Promise<T> {
  try {
    plant(bug, COPIES);
    return await work(join(COPIES, 'src'));
  } finally {
    rmSync(COPIES, { recursive: true, force: true });
  }
}

async function firstCatch(bug: PlantedBug, folder: string): Promise<Catch | null> {
  plant(bug, folder);
  const parts = await loadParts(join(folder, 'src'));
  const disks = new Disks();
  try {
    await disks.prepare(parts);
    const { firstSeed = 1 } = bug;
    for (let seed = firstSeed; seed < firstSeed + SEEDS_MAX; seed += 1) {
      const { problems } = await simulate(planOf(seed), parts, disks);
      if (problems[0] !== undefined) return { seed, oracle: problems[0].oracle };
    }
    return null;
  } finally {
    disks.dispose();
  }
}

function plant({ name, patches }: PlantedBug, folder: string): void {
  mkdirSync(folder, { recursive: true });
  cpSync(SOURCES, join(folder, 'src'), { recursive: true });
  for (const { file, find, replace } of patches) {
    const path = join(folder, 'src', file);
    const text = readFileSync(path, 'utf8');
    if (text.split(find).length !== 2)
      throw new Error(`"${name}" cannot be planted: ${file} does not hold once: ${find}`);
    writeFileSync(
      path,
      text.replace(find, () => replace),
    );
  }
}
