/** `docs/reference/events.md`, made of the catalogue. */
import { published } from '../../src/events/catalogue/catalogue.ts';
import { consumed } from '../../src/events/catalogue/consumed.ts';
import type { JsonSchema } from '../../src/events/catalogue/schemas.ts';
import type { ConsumedTopic } from '../../src/events/topics.ts';
import type { DeadLetter } from '../../src/ordering/letters/dead-letters.ts';
import { ID_PATTERN } from '../../src/stock/identifiers.ts';
import { consumedExamples, publishedExamples } from './event-examples.ts';

type PublishedTopic = keyof typeof published;

const HEAD = `# Events

<!-- Made by server/tests/docs/write-events-page.ts from server/src/events/catalogue/. Do not edit. -->

Published as structured [CloudEvents 1.0](../concepts/events.md); consumed as such, or in the plain envelope
\`{ eventId, eventType, timestamp, data }\`. This page lists their \`data\`. Within a version a schema only gains optional
fields; a breaking change is a new version beside the old one. \`dataschema\` is \`urn:holdfast:schema:<type>:<version>\`. The
schemas as JSON Schema and as Avro are files: [released](../../server/src/events/catalogue/released).

Quantities are units; instants are ISO 8601 in UTC. Fields with \`?\` may be absent; in what is consumed they may be null as
well, and fields that are not listed are ignored. An id holds letters, digits, \`.\`, \`_\` and \`-\`, at most 64.
`;

/** What a message is parked with, as a dead letter. The compiler holds it to the codes that there are. */
const CODES: Record<DeadLetter['code'], { means: string; waits: boolean }> = {
  TOO_LARGE: { means: 'the value is over 1 MiB', waits: false },
  NOT_JSON: { means: 'the value is no JSON text in UTF-8, or there is none', waits: false },
  UNKNOWN_ENVELOPE: { means: 'it is neither a CloudEvent 1.0 nor in the plain envelope', waits: false },
  UNKNOWN_SCHEMA: { means: 'it names a schema, or a version, that is not known here', waits: false },
  WRONG_TYPE: { means: 'its type contradicts its topic', waits: false },
  INVALID: { means: 'a field is missing, of another type or out of its bounds; the reason names it', waits: false },
  UNKNOWN_KEY_ID: { means: 'it is encrypted with a key that is not in the file of keys', waits: false },
  NOT_AUTHENTIC: { means: 'it was changed, or encrypted for another HQ, topic or event', waits: false },
  UNKNOWN_RESERVATION: {
    means: 'no reservation is there for the order, nor came in time; `stock.confirm.failed` goes out too',
    waits: true,
  },
  UNKNOWN_STORE: { means: 'the store is not known: make it known, and redrive', waits: true },
  UNKNOWN_PRODUCT: { means: 'the product is not known: make it known, and redrive', waits: true },
  OTHER_LINES: { means: 'the same order came before with other lines, or another reservation', waits: true },
  ORDER_COMPLETED: { means: 'a cancellation of what was sold: somebody has to take the goods back', waits: true },
  KEEPS_FAILING: { means: 'it failed again and again while all was well; the reason is the last failure', waits: true },
  BEHIND_A_PARKED_ONE: { means: 'an earlier message of its key is parked; it follows that one', waits: true },
};

const NOTES: Partial<Record<PublishedTopic, string>> = {
  'stock.sync.alert': 'Nothing publishes it yet: its topic and its schema are there.',
};

const TAIL = `## Values

| field | values |
|---|---|
| \`changeReason\` | \`SALE\`, \`RECEIPT\`, \`DISTRIBUTION\`, \`TRANSFER\`, \`DECREASE\`, \`ADJUSTMENT\`, \`COUNT\`, \`CORRECTION\` |
| \`reason\` of \`stock.reservation.failed\` | \`INSUFFICIENT_STOCK\`, \`CANCELLED\` |
| \`reason\` of \`stock.confirm.failed\` | \`INSUFFICIENT_STOCK\`, \`EXPIRED\`, \`RELEASED\`, \`QUANTITY_EXCEEDS_RESERVATION\`, \`UNKNOWN_RESERVATION\` |
| \`referenceId\` | the order of a sale, else the operation id, else \`<partition>/<seq>\` of the entry |
| \`hqStock\` | on hand over the whole HQ, before and after the command: a transfer leaves it as it was |
| \`threshold\` of \`stock.shortfall\` | the level's low threshold, or 0 |

## Which command publishes what

| command | events |
|---|---|
| [receive](commands/receive.md), [distribute](commands/distribute.md), [transfer](commands/transfer.md), [issue](commands/issue.md), [adjust](commands/adjust.md), [count](commands/count.md) | \`stock.updated\` for each level whose on hand changed; \`stock.low\`, \`stock.shortfall\` |
| [reserve](commands/reserve.md) | \`stock.reserved\` or \`stock.reservation.failed\`; \`stock.low\` |
| [confirm](commands/confirm.md) | \`stock.confirmed\` and \`stock.updated\`, or \`stock.confirm.failed\` |
| [release](commands/release.md), [expire](commands/expire.md) | \`stock.released\`, \`stock.reservation.expired\` |
| [configure](commands/configure.md) | \`stock.low\`, \`stock.shortfall\` |
| [extend](commands/extend.md) | none |
| [undo](commands/undo.md) | \`stock.updated\` |
| [answer-order](commands/answer-order.md) | \`stock.reservation.failed\`, \`stock.confirm.failed\` |
`;

export function eventsPage(): string {
  const [taken, given] = [Object.keys(consumed) as ConsumedTopic[], Object.keys(published) as PublishedTopic[]];
  const parts = [
    HEAD,
    `## Consumed\n\n${consumedTable(taken)}\n`,
    `## Published\n\n${publishedTable(given)}\n`,
    ...taken.map(consumedSection),
    codes(),
    ...given.map(publishedSection),
    TAIL,
  ];
  return `${parts.join('\n').trimEnd()}\n`;
}

function consumedTable(topics: ConsumedTopic[]): string {
  const rows = topics.map((topic) => {
    const { version, key, means } = consumed[topic];
    return `| ${linked(topic)} | ${version} | ${keyText(key)} | ${means} |`;
  });
  return ['| topic | version | key | means |', '|---|---|---|---|', ...rows].join('\n');
}

function publishedTable(topics: PublishedTopic[]): string {
  const rows = topics.map((topic) => {
    const { version, key, when } = published[topic];
    return `| ${linked(topic)} | ${version} | ${keyText(key)} | ${when} |`;
  });
  return ['| type | version | key | when |', '|---|---|---|---|', ...rows].join('\n');
}

const linked = (topic: string) => `[\`${topic}\`](#${topic.replaceAll('.', '')})`;

/** Field names in backquotes, the words between them not. */
function keyText(key: string): string {
  return key.replaceAll(/\w+(?::\w+)*Id\b/g, (name) => `\`${name}\``);
}

function consumedSection(topic: ConsumedTopic): string {
  const { version, key, means, effect, data } = consumed[topic];
  const head = `Version ${version}. Key: ${keyText(key)}. Says that ${means}.\n\nEffect: ${effect}.`;
  const example = { eventId: 'evt-7f3a', eventType: topic, timestamp: '2026-11-21T09:00:00.000Z' };
  return section(topic, head, data, { ...example, data: consumedExamples[topic] });
}

function publishedSection(topic: PublishedTopic): string {
  const { version, key, when, data } = published[topic];
  const note = NOTES[topic] === undefined ? '' : `\n\n${NOTES[topic]}`;
  const head = `Version ${version}. Key: ${keyText(key)}. Published when ${when}.${note}`;
  return section(topic, head, data, publishedExamples[topic]);
}

function section(topic: string, head: string, data: object, example: object): string {
  const fields = ['| field | type | unit, bounds |', '|---|---|---|', ...fieldRows(data as JsonSchema, '')].join('\n');
  return `## ${topic}\n\n${head}\n\n${fields}\n\n\`\`\`json\n${JSON.stringify(example, null, 2)}\n\`\`\`\n`;
}

function codes(): string {
  const rows = Object.entries(CODES).map(([code, { means, waits }]) => {
    return `| \`${code}\` | ${means} | ${waits ? 'yes' : 'no'} |`;
  });
  const table = ['| code | what is wrong | later messages of its key wait |', '|---|---|---|', ...rows].join('\n');
  return `## What is parked\n
What cannot be handled is parked as a dead letter, with a code and a reason. A refusal (too little stock, an expired
reservation) is none: it is answered with an event.\n\n${table}\n`;
}

function fieldRows(schema: JsonSchema, prefix: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const optional = schema.required?.includes(name) === true ? '' : '?';
    const path = `${prefix}${name}`;
    if (field.properties !== undefined) return fieldRows(field, `${path}${optional}.`);
    if (field.items?.properties !== undefined) {
      const bounds = [rangeText(field.minItems, field.maxItems, 'lines')].filter(Boolean);
      const whole = bounds.length === 0 ? [] : [`| \`${path}[]${optional}\` | list | ${bounds.join(', ')} |`];
      return [...whole, ...fieldRows(field.items, `${path}[]${optional}.`)];
    }
    return [`| \`${path}${optional}\` | ${typeText(field)} | ${boundsText(field)} |`];
  });
}

function typeText({ type, format, pattern }: JsonSchema): string {
  if (format === 'date-time') return 'instant';
  if (pattern === ID_PATTERN) return 'id';
  return [type].flat()[0] ?? 'any';
}

function boundsText({ description, minimum, maximum, maxLength }: JsonSchema): string {
  const range = rangeText(minimum, maximum, '');
  const length =
    maxLength === undefined ? '' : `at most ${digits(maxLength)} characters, none of them a control character`;
  return [range, description, length].filter(Boolean).join(', ');
}

function rangeText(least: number | undefined, most: number | undefined, unit: string): string {
  return least === undefined || most === undefined ? '' : `${digits(least)} to ${digits(most)} ${unit}`.trim();
}

const digits = (value: number) => value.toLocaleString('en').replaceAll(',', ' ');
