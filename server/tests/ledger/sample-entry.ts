import { ENTRY_VERSION, type Entry } from '../../src/stock/entry.ts';

/** An entry that can be stored and read back; what it decided does not matter here. */
export function sampleEntry(place: { partition: number; seq: number }): Entry {
  return {
    ...place,
    version: ENTRY_VERSION,
    epoch: 1,
    at: 1_700_000_000_000,
    hqId: 'HQ001',
    operationId: `operation-${place.seq}`,
    fingerprint: 'f',
    duplicateOf: null,
    actor: { subject: 'till-1', role: 'store' },
    origin: 'test',
    correlationId: 'c',
    causationId: null,
    command: { type: 'receive', items: [{ storeId: 'S1', productId: 'P1', quantity: 1 }] },
    read: { levels: [], totals: [], holds: [] },
    outcome: { status: 'done' },
    lines: [],
    holds: [],
  };
}
