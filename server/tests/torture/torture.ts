/**
 * Kills the server again and again while tills sell, starts it at once on the same port and data, and then holds all
 * that was acknowledged against what is there: nothing lost, nothing double, the sums add up.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { checkAnswers, checkSums } from './judge.ts';
import { ServerProcess } from './server-process.ts';
import { HQ, stock, Till } from './tills.ts';

export interface TortureOptions {
  kills: number;
  tills: number;
  onProgress: (text: string) => void;
  /** Other sources than the repository's own. */
  sources?: string;
}

export interface TortureReport {
  kills: number;
  acknowledged: number;
  repeats: number;
  reservations: number;
  findings: string[];
}

export async function torture(options: TortureOptions): Promise<TortureReport> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-torture-'));
  mkdirSync(join(folder, 'data'));
  const server = await ServerProcess.create(join(folder, 'data'), options.sources);
  const findings: string[] = [];
  try {
    const till = new Till([server.url], server.command('token', '--role', 'admin', '--hq', HQ).trim());
    await server.start();
    await stock(till);
    await sellAndKill(server, till, options);
    options.onProgress(`${till.acknowledged.length} answers are asked for again`);
    await checkAnswers(till, findings);
    // A reservation that was lost cannot be asked for what it holds.
    if (findings.length === 0) await checkSums(till, findings);
    await server.stop();
    findings.push(...verify(server));
    const { acknowledged, repeats, reservations } = till;
    return {
      kills: options.kills,
      acknowledged: acknowledged.length,
      repeats,
      reservations: reservations.length,
      findings,
    };
  } finally {
    await server.kill();
    if (findings.length === 0) rmSync(folder, { recursive: true, force: true });
  }
}

async function sellAndKill(
  server: ServerProcess,
  till: Till,
  { kills, tills, onProgress }: TortureOptions,
): Promise<void> {
  let failure: unknown = null;
  const selling = Array.from({ length: tills }, () =>
    till.run().catch((error: unknown) => {
      failure ??= error;
      till.stopped = true;
    }),
  );
  for (let kill = 1; kill <= kills && failure === null; kill += 1) {
    await delay(50 + Math.random() * 900);
    await server.kill();
    await server.start();
    onProgress(`${kill} of ${kills} kills, ${till.acknowledged.length} acknowledged, ${till.repeats} repeated`);
  }
  till.stopped = true;
  await Promise.all(selling);
  if (failure !== null) throw failure;
}

function verify(server: ServerProcess): string[] {
  try {
    server.command('verify');
    return [];
  } catch (error) {
    return [`holdfast verify: ${(error as { stdout?: string }).stdout ?? String(error)}`];
  }
}
