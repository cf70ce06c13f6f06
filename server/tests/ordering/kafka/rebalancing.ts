/** Members that come, leave and die over a backlog. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { TopicNames } from '../../../src/events/topics.ts';
import { KafkaMessageSource } from '../../../src/ordering/consuming/kafka/kafka-message-source.ts';
import type { MessageSource } from '../../../src/ordering/consuming/message-source.ts';
import type { KafkaTestServer } from '../../support/servers/kafka.ts';
import { until } from '../../support/servers/until.ts';
import { createTopics, fillTopics, OTHER_TOPICS, TOPICS, usualHandleMs } from './backlog.ts';
import { type Judgement, judge } from './judge.ts';
import { type Note, now, RecordingSink } from './recording-sink.ts';
import { StreamingSource } from './streaming-source.ts';

const MEMBER = join(import.meta.dirname, 'member-process.ts');

export interface RebalancingOptions {
  bootstrapServers: string;
  /** Also the group's name. */
  prefix: string;
  partitions: number;
  messages: number;
  /** Between one change of the group and the next. */
  everyMs: number;
  /** How often a member comes and another one leaves. */
  changes: number;
  /** Members that are killed with -9, one after the other; each is missed after its session only. */
  deaths: number;
  /** `streaming`: the client as documented, which is wrong. */
  source?: 'ours' | 'streaming';
  finishMsMax: number;
}

type Member = Pick<MessageSource, 'start' | 'stop'>;

export async function rebalance(options: RebalancingOptions): Promise<Judgement & { notes: Note[] }> {
  const { bootstrapServers, prefix, partitions, messages, everyMs, changes, deaths, finishMsMax } = options;
  const names = new TopicNames({ prefix });
  const topics = { bootstrapServers, names, partitions };
  await createTopics(topics);
  const counts = await fillTopics({ ...topics, messages });
  const fillAgain = async (more: number) => {
    for (const [place, count] of await fillTopics({ ...topics, messages: more })) {
      counts.set(place, count + (counts.get(place) as number));
    }
  };
  const notes = new Set<Note>();
  const ended = new Set<string>();
  const died = new Map<string, number>();
  const noted = (note: Note) => {
    notes.add(note);
    if (note.end !== Infinity) ended.add(`${note.place}:${note.offset}`);
  };
  const members: Member[] = [];
  let made = 0;
  const comes = async () => {
    made += 1;
    const member = newMember(options, names, `member-${made}`);
    members.push(member);
    await member.start(new RecordingSink({ member: `member-${made}`, onNote: noted, handleMs: usualHandleMs }));
  };
  await comes();
  for (let change = 0; change < changes; change += 1) {
    await delay(everyMs);
    await comes();
    await delay(everyMs);
    if (change % 2 === 1) await members.shift()?.stop();
  }
  for (let death = 0; death < deaths; death += 1) {
    const name = `mortal-${death}`;
    await untilKilled(options, { name, noted, died, onAssigned: () => fillAgain(messages / 2) });
  }
  const all = [...counts.values()].reduce((sum, count) => sum + count, 0);
  try {
    await until(`all ${all} messages`, finishMsMax, async () => ended.size === all);
  } catch {
    // What is lost is in the judgement.
  }
  await Promise.all(members.map((member) => member.stop()));
  return { ...judge([...notes], { counts, died }), notes: [...notes] };
}

function newMember(
  { bootstrapServers, prefix, source }: RebalancingOptions,
  names: TopicNames,
  member: string,
): Member {
  const brokers = [bootstrapServers];
  if (source === 'streaming') return new StreamingSource({ brokers, names, topics: TOPICS, groupId: prefix });
  const log = { info: () => undefined, warn: () => undefined };
  return new KafkaMessageSource({ kafka: { brokers }, names, groupId: prefix, clientId: member, log });
}

export interface AwayOptions {
  kafka: KafkaTestServer;
  prefix: string;
  partitions: number;
  messages: number;
  awayMs: number;
  finishMsMax: number;
}

export interface AwayJudgement extends Judgement {
  /** The group went on in the generation in which the broker was killed. */
  sameGeneration: boolean;
  /** What the first member said at the end of the outage, and what some time after all was handled. */
  degraded: string | null;
  degradedAfter: string | null;
}

/** Two members, the broker killed in the midst of their work, away, and started again. */
export async function awayUnderLoad(options: AwayOptions): Promise<AwayJudgement> {
  const { kafka, prefix, partitions, messages, awayMs, finishMsMax } = options;
  const { bootstrapServers } = kafka;
  const names = new TopicNames({ prefix });
  await createTopics({ bootstrapServers, names, partitions });
  await createTopics({ bootstrapServers, names, partitions, topics: OTHER_TOPICS });
  // So large that only a small part of them is in the members' memory.
  const counts = await fillTopics({ bootstrapServers, names, partitions, messages, fillerBytes: 2_000 });
  const notes = new Set<Note>();
  const ended = new Set<string>();
  const onNote = (note: Note) => {
    notes.add(note);
    if (note.end !== Infinity) ended.add(`${note.place}:${note.offset}`);
  };
  const generations = new Set<string>();
  const info = (text: string) => {
    const [generation] = /generation \d+/.exec(text) ?? [];
    if (generation !== undefined) generations.add(generation);
  };
  const log = { info, warn: () => undefined };
  const members = ['first', 'second'].map((member) => {
    const parts = { kafka: { brokers: [bootstrapServers] }, names, groupId: prefix, clientId: member, log };
    return {
      source: new KafkaMessageSource(parts),
      sink: new RecordingSink({ member, onNote, handleMs: usualHandleMs }),
    };
  });
  for (const { source, sink } of members) await source.start(sink);
  await until('some are handled', finishMsMax, async () => ended.size > messages / 8);
  const awayFrom = now();
  const { size } = generations;
  await kafka.kill();
  await delay(awayMs);
  const first = members[0]?.source as KafkaMessageSource;
  await until('it says that Kafka is away', finishMsMax, async () => first.degraded() !== null).catch(() => undefined);
  const degraded = first.degraded();
  await kafka.start();
  await until('all messages are handled', finishMsMax, async () => ended.size === messages).catch(() => undefined);
  await until('nothing is said any more', finishMsMax, async () => first.degraded() === null).catch(() => undefined);
  const degradedAfter = first.degraded();
  await Promise.all(members.map(({ source }) => source.stop()));
  const sameGeneration = generations.size === size;
  const expected = { counts, died: new Map(), ...(sameGeneration ? {} : { forgottenFrom: awayFrom }) };
  return { ...judge([...notes], expected), sameGeneration, degraded, degradedAfter };
}

interface Mortal {
  name: string;
  noted: (note: Note) => void;
  died: Map<string, number>;
  /** There is work for it once it is a member. */
  onAssigned: () => Promise<void>;
}

/** Starts one, lets it work for a while, and kills it. */
async function untilKilled(
  { bootstrapServers, prefix, everyMs }: RebalancingOptions,
  { name, noted, died, onAssigned }: Mortal,
): Promise<void> {
  const args = ['--disable-warning=ExperimentalWarning', MEMBER, bootstrapServers, prefix, prefix, name];
  const child: ChildProcess = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  const last = new Map<string, Note>();
  let isMember = false;
  const lines = createInterface({ input: child.stdout as NonNullable<ChildProcess['stdout']> });
  lines.on('line', (line) => {
    // A line that the kill cut off.
    if (!line.endsWith('}')) return;
    const told = JSON.parse(line) as Omit<Note, 'end'> & { end: number | null };
    isMember = true;
    if (told.place === undefined) return;
    const key = `${told.place}:${told.offset}:${told.begin}`;
    const note = last.get(key) ?? { ...told, end: Infinity };
    note.end = told.end ?? Infinity;
    last.set(key, note);
    noted(note);
  });
  await until(`${name} is a member`, 60_000, async () => isMember);
  await onAssigned();
  await until(`${name} is given messages`, 60_000, async () => last.size > 0);
  await delay(everyMs);
  const gone = Promise.all([once(child, 'exit'), once(lines, 'close')]);
  child.kill('SIGKILL');
  await gone;
  died.set(name, now());
}
