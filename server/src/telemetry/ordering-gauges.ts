import type { OrderConsumer } from '../ordering/consuming/consumer.ts';
import type { MessageSource } from '../ordering/consuming/message-source.ts';
import type { DeadLetters } from '../ordering/letters/dead-letters.ts';
import type { Telemetry } from './telemetry.ts';

export interface OrderingGauges {
  consumer: Pick<OrderConsumer, 'inFlight'>;
  source: Pick<MessageSource, 'lag'>;
  letters: Pick<DeadLetters, 'counts'>;
}

/** What a process that consumes orders says of it, beside what `telemetry.consumption` counts. */
export function registerOrderingGauges(telemetry: Telemetry, { consumer, source, letters }: OrderingGauges): void {
  telemetry.gauge('holdfast_consumer_in_flight', 'Messages that are being handled', () => consumer.inFlight);
  telemetry.gaugeBy('holdfast_consumer_lag_messages', 'Messages that are there and not taken yet', 'topic', () =>
    source.lag(),
  );
  telemetry.gaugeBy('holdfast_dead_letters', 'Messages that wait for somebody to look at them', 'status', async () =>
    Object.entries(await letters.counts()),
  );
}
