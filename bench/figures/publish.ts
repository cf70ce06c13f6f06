import { startMariadb } from '../../server/tests/support/servers/mariadb.ts';
import { atLeast, type BenchContext, type Benchmark, type Contender, ratio } from '../harness/benchmark.ts';
import { MeasuredProcess } from '../harness/child-process.ts';
import { showRate } from '../harness/format.ts';
import { at, interleave } from '../harness/rounds.ts';
import type { Sample } from '../harness/sample.ts';
import type { Backlog } from '../subjects/backlog-place.ts';
import type { Stock } from '../subjects/stock.ts';
import { removeTopics, startBroker } from './broker.ts';
import { pastOf } from './past.ts';

const PUBLISHING = new URL('../subjects/publishing.ts', import.meta.url);
const COPYING = new URL('../subjects/cluster-past.ts', import.meta.url);
const PRODUCER = new URL('../references/producer-alone.ts', import.meta.url);
const BACKLOG = 1_000_000;
const QUICK_BACKLOG = 100_000;
const STOCK: Stock = { stores: 10, products: 1_000, quantity: 1_000_000 };
/** Reserving and confirming: three events for two entries. */
const EVENTS_PER_ENTRY = 1.5;
const REQUIRED = 0.5;
const DATABASE = { innodb_buffer_pool_size: '1G', innodb_log_file_size: '512M' };

export const publish: Benchmark = {
  name: 'publish',
  title: 'A backlog of 1 000 000 entries from MariaDB to Kafka, against the producer alone with the same events',
  async run(context) {
    const entries = context.options.quick ? QUICK_BACKLOG : BACKLOG;
    const kafka = await startBroker();
    const mariadb = await startMariadb({ settings: DATABASE });
    try {
      const seq = await backlogOf(context, entries, mariadb.access);
      const place = { access: mariadb.access, bootstrapServers: kafka.bootstrapServers, seq };
      const summaries = await interleave(context, [relaying(context, place), producing(context, place)]);
      return {
        summaries,
        figures: [
          atLeast('events of the relay to the producer alone', ratio(at(summaries, 0), at(summaries, 1)), REQUIRED),
        ],
        remarks: [
          `${showRate(entries)} entries of one HQ, reservations and their confirmations: three events for two of them.`,
          'The database and the broker run on the same cores.',
        ],
      };
    } finally {
      await kafka.kill();
      await mariadb.kill();
    }
  },
};

async function backlogOf(context: BenchContext, entries: number, access: Backlog['access']): Promise<number> {
  const folder = await pastOf(context, entries, STOCK, false);
  const copying = MeasuredProcess.start(COPYING);
  try {
    return await copying.call<number>('copy', folder, access);
  } finally {
    await copying.stop();
    context.removeFolder(folder);
  }
}

type Place = Omit<Backlog, 'prefix'>;

function relaying(context: BenchContext, place: Place): Contender {
  const name = 'Holdfast relays';
  return { name, unit: 'events', measure: (round) => measured(context, { name, round, module: PUBLISHING, place }) };
}

function producing(context: BenchContext, place: Place): Contender {
  const name = 'the producer alone';
  return { name, unit: 'events', measure: (round) => measured(context, { name, round, module: PRODUCER, place }) };
}

interface Measuring {
  name: string;
  round: number;
  module: URL;
  place: Place;
}

/** To topics of its own, which are removed. */
async function measured(context: BenchContext, { name, round, module, place }: Measuring): Promise<Sample> {
  const relays = module === PUBLISHING;
  const prefix = `${relays ? 'relay' : 'producer'}${round}.`;
  const subject = MeasuredProcess.start(module, { profiling: context.profiling(name) });
  try {
    return relays
      ? await subject.call<Sample>('publish', { ...place, prefix })
      : await subject.call<Sample>('produce', { ...place, prefix }, Math.round(place.seq * EVENTS_PER_ENTRY));
  } finally {
    await subject.stop();
    await removeTopics(place.bootstrapServers, prefix);
  }
}
