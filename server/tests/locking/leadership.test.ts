import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Leadership } from '../../src/locking/leadership.ts';
import { roleLock } from '../../src/locking/lock-key.ts';
import { Locks } from '../../src/locking/locks.ts';
import { describeWith } from '../support/servers/servers.ts';
import { type LockServers, lockAdapters } from './lock-adapters.ts';
import { observed } from './observed.ts';

const TTL_MS = 6_000;

interface Candidate {
  leadership: Leadership;
  /** What it was told, in order: fencing tokens, and `null` or a reason for each end. */
  told: (number | string | null)[];
}

describeWith(['redis', 'zookeeper'], 'leadership', () => {
  describe.concurrent.each(lockAdapters)('over $name', ({ start, endsByTime }) => {
    let servers: LockServers;

    beforeAll(async () => {
      servers = await start();
    });

    afterAll(() => servers?.stop());

    async function candidate(role: string): Promise<Candidate> {
      const locks = new Locks({ lock: await servers.open(), nodeId: 'candidate', observer: observed().observer });
      const told: Candidate['told'] = [];
      const leadership = new Leadership({
        locks,
        role,
        ttlMs: TTL_MS,
        onGained: ({ fencingToken }) => told.push(fencingToken),
        onLost: (reason) => told.push(reason),
        onError: (error) => told.push(String(error)),
      });
      return { leadership, told };
    }

    async function until(condition: () => boolean): Promise<void> {
      while (!condition()) await delay(20);
    }

    it('has one leader at a time, and each later one has a greater token', async () => {
      const candidates = await Promise.all([1, 2, 3].map(() => candidate('relay')));
      for (const { leadership } of candidates) leadership.start();
      const waiting = new Set(candidates);
      const tokens: number[] = [];
      while (waiting.size > 0) {
        await until(() => [...waiting].some(({ leadership }) => leadership.leads));
        const leading = candidates.filter(({ leadership }) => leadership.leads);
        expect(leading).toHaveLength(1);
        const [leader] = leading as [Candidate];
        tokens.push(leader.told[0] as number);
        await leader.leadership.stop();
        expect(leader.leadership.leads).toBe(false);
        expect(leader.told).toEqual([tokens.at(-1), null]);
        waiting.delete(leader);
      }
      expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
    });

    it.runIf(endsByTime)('is told of a lock that was lost, and leads again', async () => {
      const { leadership, told } = await candidate('scheduler');
      leadership.start();
      await until(() => leadership.leads);
      const operator = await servers.open();
      const holder = (await operator.holders()).find(({ key }) => key === roleLock('scheduler'));
      expect(holder?.value).toMatch(/^candidate:\d+:/);
      expect(await operator.release({ ...holder!, fencingToken: 0, validUntilMs: 0 })).toBe(true);
      await until(() => told.length === 3);
      expect(told[1]).toEqual(expect.any(String));
      expect(told[2]).toBeGreaterThan(told[0] as number);
      await leadership.stop();
      expect(told.slice(3)).toEqual([null]);
      expect((await operator.holders()).some(({ key }) => key === roleLock('scheduler'))).toBe(false);
    });
  });
});
