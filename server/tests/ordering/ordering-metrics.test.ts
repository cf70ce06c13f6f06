import { expect, it } from 'vitest';
import { registerOrderingGauges } from '../../src/telemetry/ordering-gauges.ts';
import { Telemetry } from '../../src/telemetry/telemetry.ts';

it('says what was consumed, how late, and what waits; also when a part of it cannot be read', async () => {
  const telemetry = new Telemetry();
  let isAway = false;
  registerOrderingGauges(telemetry, {
    consumer: { inFlight: 3 },
    source: { lag: async () => new Map([['order.placed', 7]] as const) },
    letters: {
      counts: async () => {
        if (isAway) throw new Error('the table is away');
        return { parked: 2, waiting: 5 };
      },
    },
  });
  telemetry.consumption.consumed('order.placed', 'done', 20);
  telemetry.consumption.consumed('order.placed', 'replayed', 90_000);
  telemetry.consumption.consumed('sku.created', 'unreadable', 1);
  const text = await telemetry.registry.metrics();
  for (const line of [
    'holdfast_consumed_messages_total{topic="order.placed",result="done"} 1',
    'holdfast_consumed_messages_total{topic="order.placed",result="replayed"} 1',
    'holdfast_consumed_messages_total{topic="sku.created",result="unreadable"} 1',
    'holdfast_consumed_delay_seconds_bucket{le="0.025"} 1',
    'holdfast_consumed_delay_seconds_count 1',
    'holdfast_consumer_in_flight 3',
    'holdfast_consumer_lag_messages{topic="order.placed"} 7',
    'holdfast_dead_letters{status="parked"} 2',
    'holdfast_dead_letters{status="waiting"} 5',
  ]) {
    expect(text.split('\n')).toContain(line);
  }
  isAway = true;
  const withoutLetters = await telemetry.registry.metrics();
  expect(withoutLetters).toContain('holdfast_consumer_in_flight 3');
  expect(withoutLetters).not.toContain('holdfast_dead_letters{');
});

it('answers whoever scrapes although Kafka does not answer', async () => {
  const telemetry = new Telemetry();
  registerOrderingGauges(telemetry, {
    consumer: { inFlight: 3 },
    source: { lag: () => new Promise(() => undefined) },
    letters: { counts: async () => ({ parked: 2, waiting: 5 }) },
  });
  const text = await telemetry.registry.metrics();
  expect(text).toContain('holdfast_dead_letters{status="parked"} 2');
  expect(text).not.toContain('holdfast_consumer_lag_messages{');
});
