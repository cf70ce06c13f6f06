/** Fetches what a pom.xml names from Maven Central, once: jars, or an archive that it unpacks. */

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Say } from '../progress.ts';
import { run } from './debian.ts';

const STAMP = 'pom.sha256';

export interface Jars {
  pom: string;
  /** Where they go. */
  folder: string;
  title: string;
  /** `unpack`: the pom.xml names an archive, as an item of that goal. */
  goal?: 'copy-dependencies' | 'unpack';
  say: Say;
}

/** Whether the folder holds what the pom.xml names as it is now. */
export function hasJars(pom: string, folder: string): boolean {
  const stamp = join(folder, STAMP);
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === stampOf(pom);
}

/** @throws with what Maven said. */
export async function fetchJars({ pom, folder, title, goal = 'copy-dependencies', say }: Jars): Promise<void> {
  if (hasJars(pom, folder)) return;
  say(`the jars of ${title} are missing: fetching them from Maven Central, once`);
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  const args = [`dependency:${goal}`, `-DoutputDirectory=${unfinished}`, '-DincludeScope=runtime'];
  const { code, output } = await run(['mvn', '-q', '-B', '-f', pom, ...args], dirname(pom));
  if (code !== 0) throw new Error(`the jars of ${title} could not be fetched with Maven:\n${output}`);
  writeFileSync(join(unfinished, STAMP), stampOf(pom));
  rmSync(folder, { recursive: true, force: true });
  renameSync(unfinished, folder);
}

function stampOf(pom: string): string {
  return createHash('sha256').update(readFileSync(pom)).digest('hex');
}
