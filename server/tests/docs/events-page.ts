/** `docs/reference/events.md`, made of the catalogue. */
import { catalogue, type EventType } from '../../src/events/catalogue/catalogue.ts';

/** What is used of JSON Schema in the catalogue. */
interface Schema {
  type?: string;
  format?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
}

const HEAD = `# Events

<!-- Made by server/tests/docs/write-events-page.ts from server/src/events/catalogue/catalogue.ts. Do not edit. -->

Published as structured [CloudEvents 1.0](../concepts/events.md); this page lists their \`data\`. Within a version a schema
only gains optional fields; a breaking change is a new version beside the old one. \`dataschema\` is
\`urn:holdfast:schema:<type>:<version>\`.

Quantities are units; instants are ISO 8601 in UTC. Fields with \`?\` may be absent.
`;

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
  const types = Object.keys(catalogue) as EventType[];
  const rows = types.map((type) => {
    const { version, key, when } = catalogue[type];
    return `| [\`${type}\`](#${anchorOf(type)}) | ${version} | ${keyText(key)} | ${when} |`;
  });
  const contents = ['| type | version | key | when |', '|---|---|---|---|', ...rows].join('\n');
  return `${[HEAD, `${contents}\n`, ...types.map(section), TAIL].join('\n').trimEnd()}\n`;
}

function anchorOf(type: string): string {
  return type.replaceAll('.', '');
}

/** Field names in backquotes, the words between them not. */
function keyText(key: string): string {
  return key.replaceAll(/\w+(?::\w+)*Id\b/g, (name) => `\`${name}\``);
}

function section(type: EventType): string {
  const { version, key, when, data } = catalogue[type];
  const fields = fieldRows(data as Schema, '');
  return `## ${type}

Version ${version}. Key: ${keyText(key)}. Published when ${when}.

| field | type |
|---|---|
${fields.join('\n')}
`;
}

function fieldRows(schema: Schema, prefix: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const optional = schema.required?.includes(name) === true ? '' : '?';
    const path = `${prefix}${name}`;
    if (field.properties !== undefined) return fieldRows(field, `${path}${optional}.`);
    if (field.items?.properties !== undefined) return fieldRows(field.items, `${path}[]${optional}.`);
    return [`| \`${path}${optional}\` | ${typeText(field)} |`];
  });
}

function typeText({ type, format }: Schema): string {
  if (format === 'date-time') return 'instant';
  return type ?? 'any';
}
