/** A short run of what `npm run torture:orders` does at length. */
import { expect, it } from 'vitest';
import { describeWith } from '../../support/servers/servers.ts';
import { tortureOrders } from './torture-orders.ts';

describeWith(['redis', 'mariadb', 'kafka'], 'events of orders, while nodes and the broker are killed', () => {
  it('have every effect once, in the order of their keys; rubbish is parked, and all ends clean', async () => {
    const size = { events: 1_500, kills: 3, seed: 3, earlyWaitMs: 1_000 };
    const options = { ...size, layout: 'whole' as const, onProgress: () => undefined };
    const { findings, letters, kills } = await tortureOrders(options);
    expect(findings).toEqual([]);
    expect(kills).toBe(3);
    expect(letters.corrected).toBe(15);
  }, 180_000);
});
