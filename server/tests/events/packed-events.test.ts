import { expect, it } from 'vitest';
import type { StockEvent } from '../../src/events/event-feed.ts';
import { wireOf } from '../../src/events/event-source.ts';
import { packedOf, unpacked } from '../../src/events/packed-events.ts';

function event(subject: string, data: Record<string, unknown> = {}): StockEvent {
  return {
    specversion: '1.0',
    id: `evt_9_${subject.length}_0`,
    source: '/holdfast',
    type: 'stock.updated',
    subject,
    time: '2026-11-21T09:00:00.000Z',
    datacontenttype: 'application/json',
    dataschema: 'urn:holdfast:schema:stock.updated:1',
    sequence: '00000000000000065536',
    correlationid: 'c-1',
    causationid: 'c-2',
    partitionkey: subject,
    data: { hqId: 'HQ001', ...data },
  };
}

it.each([
  ['none', []],
  ['one', [event('HQ001:S1:P1')]],
  ['several', [event('HQ001:S1:P1', { available: -3 }), event('HQ001:S2:P1'), event('x')]],
  ['texts of several bytes a letter', [event('a'), event('HQ001:강남점:사과'), event('é"\\\n'), event('🍎')]],
  ['half of a letter of two', [event('a'), event('\ud83c'), event('b')]],
])('comes out of the columns as it goes over the wire: %s', (_, events) => {
  expect(unpacked(packedOf(events))).toEqual(events.map(wireOf));
});
