import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 20;

/** Polls until `condition` holds; a condition that throws does not hold yet. */
export async function until(what: string, msMax: number, condition: () => Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + msMax;
  let reason = '';
  while (Date.now() < giveUpAt) {
    try {
      if (await condition()) return;
    } catch (error) {
      reason = `: ${(error as Error).message}`;
    }
    await delay(POLL_MS);
  }
  throw new Error(`${what} not within ${msMax / 1000} s${reason}`);
}
