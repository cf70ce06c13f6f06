/** A member as a process of its own, to be killed: `brokers prefix groupId name`. Its notes go to standard output. */
import { writeSync } from 'node:fs';
import { TopicNames } from '../../../src/events/topics.ts';
import { KafkaMessageSource } from '../../../src/ordering/consuming/kafka/kafka-message-source.ts';
import { usualHandleMs } from './backlog.ts';
import { RecordingSink } from './recording-sink.ts';

const [brokers = '', prefix = '', groupId = '', member = ''] = process.argv.slice(2);
const log = { info: () => undefined, warn: (message: string) => console.error(message) };
const names = new TopicNames({ prefix });
const source = new KafkaMessageSource({ kafka: { brokers: [brokers] }, names, groupId, clientId: member, log });
// Written before it goes on, so that it is told whenever the process dies.
const tell = (what: object) => void writeSync(1, `${JSON.stringify(what)}\n`);
const onAssign = (assigned: string) => tell({ assigned });
await source.start(new RecordingSink({ member, onNote: tell, onAssign, handleMs: usualHandleMs }));
