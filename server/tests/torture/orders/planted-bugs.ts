/**
 * Bugs that the events of many orders must show when nodes and the broker are killed meanwhile. (Messages of one key side by
 * side are not shown here, for the engine is asked in their order all the same; `consumer-random.test.ts` shows them.)
 */
import type { PlantedBug } from '../../simulation/planted-bugs.ts';
import { withSourcesOf } from '../../simulation/run-planted.ts';
import { tortureOrders } from './torture-orders.ts';

const CONSUMING = 'ordering/consuming';
const HANDLING = 'ordering/handling';

export const orderBugs: PlantedBug[] = [
  {
    name: 'offsets are committed ahead of the effect',
    patches: [
      {
        file: `${CONSUMING}/partition-window.ts`,
        find: 'const offset = this.#oldest === null ? this.#nextOffset : this.#oldest.message.offset;',
        replace: 'const offset = this.#nextOffset;',
      },
    ],
  },
  {
    name: 'a cancellation that comes first leaves no mark',
    patches: [
      {
        file: `${HANDLING}/order-handling.ts`,
        find: 'return last ?? this.#takeOrderId(message, body, operationId);',
        replace: 'return last ?? done(false);',
      },
    ],
  },
  {
    name: 'an operation is named by its event, not by its order',
    patches: [
      {
        file: `${HANDLING}/order-handling.ts`,
        find: 'operationIdOf.placed(orderId), fingerprintOf(body), {',
        replace: 'operationIdOf.placed(message.eventId), fingerprintOf(body), {',
      },
    ],
  },
];

/** What a cluster with this bug in it is found out by; null: by nothing. */
export function firstFinding(bug: PlantedBug): Promise<string | null> {
  return withSourcesOf(bug, async (sources) => {
    const size = { events: 3_000, kills: 4, seed: 7, earlyWaitMs: 1_000 };
    const options = { ...size, layout: 'whole' as const, onProgress: () => undefined };
    // An end that never comes is a finding too.
    const { findings } = await tortureOrders({ ...options, sources }).catch((error: Error) => ({
      findings: [error.message],
    }));
    return findings[0] ?? null;
  });
}
