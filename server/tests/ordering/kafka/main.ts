/**
 * The long version of the tests on a real Kafka: `npm run rebalance:kafka`. Members come, leave and are killed over
 * 100 000 messages in 12 partitions; then the broker is away for a minute. Ends with 1 when something is wrong.
 */
import { startKafka } from '../../support/servers/kafka.ts';
import type { Judgement } from './judge.ts';
import { awayUnderLoad, rebalance } from './rebalancing.ts';

const MINUTE = 60_000;

function told(what: string, { lost, twice, together, again, pauseMsOf }: Judgement): boolean {
  const pauses = [...pauseMsOf.values()].map(Math.round).sort((a, b) => b - a);
  console.log(`${what}: ${lost.length} lost, ${twice.length} twice, ${together.length} together, ${again} again`);
  console.log(`  longest pause of each partition: ${pauses.join(', ')} ms`);
  for (const line of [...lost, ...twice, ...together].slice(0, 20)) console.log(`  ${line}`);
  return lost.length + twice.length + together.length === 0;
}

await using kafka = await startKafka();
const load = { partitions: 6, finishMsMax: 5 * MINUTE };
const members = { messages: 50_000, everyMs: 1_500, changes: 12, deaths: 3 };
const { bootstrapServers } = kafka;
const rebalanced = told('rebalances', await rebalance({ ...load, ...members, bootstrapServers, prefix: 'rebalance.' }));
const seen = await awayUnderLoad({ ...load, kafka, prefix: 'away.', messages: 24_000, awayMs: MINUTE });
const survived = told('a broker away for a minute', seen);
console.log(`  said meanwhile: ${seen.degraded}`);
process.exitCode = rebalanced && survived && seen.degraded !== null && seen.degradedAfter === null ? 0 : 1;
