/** `holdfast dlq`: the dead letters, listed, shown, redriven, dropped. */

import type { ConsumedTopic } from '../events/topics.ts';
import type { LetterStatus } from '../ordering/letters/dead-letters.ts';
import type { LetterDesk, ShownLetter } from '../ordering/letters/letter-desk.ts';
import type { Page } from '../projections/history-reads.ts';
import type { Environment } from './environment.ts';
import { CommandFailed, UsageError } from './failures.ts';
import { COMMAND_LINE, type ServerClient, withInstallation } from './installation.ts';
import { type Progress, ProgressBar } from './progress.ts';
import { columns, printable, printableJson } from './tables.ts';

const PATH = '/api/v1/admin/dead-letters';
const PAGE_LIMIT = 500;
const REASON_LENGTH_SHOWN = 80;
const LIST_LIMIT_DEFAULT = 50;
/** Somebody else was faster: no failure. */
const OVERTAKEN: ReadonlySet<string | undefined> = new Set(['DEAD_LETTER_NOT_PARKED', 'DEAD_LETTER_BUSY']);

export type DlqAction = 'list' | 'show' | 'redrive' | 'drop';

export interface DlqOptions {
  topic?: ConsumedTopic;
  key?: string;
  status?: LetterStatus;
  limit?: string;
  all?: boolean;
  json?: boolean;
}

interface DlqCall extends DlqOptions {
  action: DlqAction;
  id: string | undefined;
}

interface Filter {
  topic?: ConsumedTopic;
  key?: string;
  status?: LetterStatus;
}

interface RedrivenLetter {
  letter: ShownLetter;
  followed: number;
}

/** The letters, through a server or on the data itself. */
interface Letters {
  list(filter: Filter, limit: number, cursor: string | null): Promise<Page<ShownLetter>>;
  show(id: string): Promise<ShownLetter>;
  redrive(id: string): Promise<RedrivenLetter>;
  drop(id: string): Promise<ShownLetter>;
}

export async function dlq(environment: Environment, call: DlqCall): Promise<void> {
  const work = workOf(call);
  await withInstallation<void>(environment, {
    throughServer: (client) => work(lettersOf(client)),
    onData: ({ letterDesk }) => work(lettersAt(letterDesk)),
  });
}

/** @throws UsageError before anything is opened */
function workOf({ action, id, ...options }: DlqCall): (letters: Letters) => Promise<void> {
  const { all, json } = options;
  if (action === 'list') {
    if (id !== undefined) throw new UsageError('holdfast dlq list takes no id; holdfast dlq show shows one letter.');
    const limit = limitOf(options.limit);
    return (letters) => list(letters, options, limit);
  }
  if (action === 'redrive' && all === true) {
    if (id !== undefined) throw new UsageError('holdfast dlq redrive takes an id or --all, not both.');
    return (letters) => redriveAll(letters, options);
  }
  if (id === undefined) {
    throw new UsageError(`holdfast dlq ${action} needs the id of a letter; holdfast dlq list shows them.`);
  }
  const told = (value: unknown, text: string) => print(json === true ? `${printableJson(value)}\n` : text);
  if (action === 'show') return async (letters) => showOne(await letters.show(id), told);
  if (action === 'drop') return async (letters) => told(await letters.drop(id), `Dropped ${id}.\n`);
  return async (letters) => {
    const redriven = await letters.redrive(id);
    told(redriven, writtenRedriven(redriven));
    if (redriven.letter.status !== 'redriven') process.exitCode = 1;
  };
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return LIST_LIMIT_DEFAULT;
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new UsageError(`--limit is ${JSON.stringify(text)}, but it must be a whole number from 1 to 999999`);
}

function print(text: string): void {
  process.stdout.write(text);
}

async function list(letters: Letters, options: DlqOptions, limit: number): Promise<void> {
  const found: ShownLetter[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<ShownLetter> = await letters.list(
      filterOf(options),
      Math.min(PAGE_LIMIT, limit - found.length),
      cursor,
    );
    found.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null && found.length < limit);
  print(options.json === true ? `${printableJson(found)}\n` : writtenLetters(found, Date.now()));
  if (cursor !== null) process.stderr.write(`The newest ${found.length}; --limit shows more.\n`);
}

function filterOf({ topic, key, status }: DlqOptions): Filter {
  return {
    ...(topic === undefined ? {} : { topic }),
    ...(key === undefined ? {} : { key }),
    ...(status === undefined ? {} : { status }),
  };
}

/** The oldest first, as they came. */
async function redriveAll(letters: Letters, { topic, key, json }: DlqOptions): Promise<void> {
  const ids: string[] = [];
  let cursor: string | null = null;
  do {
    const filter = { ...filterOf({ ...(topic && { topic }), ...(key && { key }) }), status: 'parked' as const };
    const page: Page<ShownLetter> = await letters.list(filter, PAGE_LIMIT, cursor);
    ids.unshift(...page.items.map(({ id }) => id).reverse());
    cursor = page.nextCursor;
  } while (cursor !== null);
  const bar = new ProgressBar('redriving');
  const counts = { redriven: 0, followed: 0, overtaken: 0 };
  const failed: ShownLetter[] = [];
  try {
    for (const [index, id] of ids.entries()) {
      const redriven = await redriveUnlessOvertaken(letters, id);
      if (redriven === null) counts.overtaken += 1;
      else if (redriven.letter.status === 'redriven') counts.redriven += 1;
      else failed.push(redriven.letter);
      counts.followed += redriven?.followed ?? 0;
      bar.show({ done: index + 1, total: ids.length } satisfies Progress);
    }
  } finally {
    bar.end();
  }
  print(json === true ? `${printableJson({ ...counts, failed })}\n` : writtenSum(counts, failed));
  if (failed.length > 0) process.exitCode = 1;
}

async function redriveUnlessOvertaken(letters: Letters, id: string): Promise<RedrivenLetter | null> {
  try {
    return await letters.redrive(id);
  } catch (error) {
    if (error instanceof CommandFailed && OVERTAKEN.has(error.code)) return null;
    throw error;
  }
}

function lettersOf(client: ServerClient): Letters {
  const of = (id: string) => `${PATH}/${encodeURIComponent(id)}`;
  return {
    list(filter, limit, cursor) {
      const page = { limit: String(limit), ...(cursor === null ? {} : { cursor }) };
      return client.ask('GET', `${PATH}?${new URLSearchParams({ ...filter, ...page })}`);
    },
    show: (id) => client.ask('GET', of(id)),
    redrive: (id) => client.ask('POST', `${of(id)}/redrive`),
    drop: (id) => client.ask('DELETE', of(id)),
  };
}

function lettersAt(desk: LetterDesk): Letters {
  const letter = async (id: string) => {
    const found = await desk.letters.get(id);
    if (found === null) throw new CommandFailed(`There is no dead letter ${id}; holdfast dlq list shows them.`);
    return found;
  };
  const show = async (id: string) => desk.shown(await letter(id), null);
  const refused = async (id: string) =>
    new CommandFailed(`The letter ${id} is ${(await letter(id)).status}, not parked.`, 'DEAD_LETTER_NOT_PARKED');
  return {
    async list(filter, limit, cursor) {
      const page = await desk.letters.list({ hqId: null, ...filter, limit, cursor });
      return { items: page.items.map((each) => desk.shown(each, null)), nextCursor: page.nextCursor };
    },
    show,
    async redrive(id) {
      await letter(id);
      const redriven = await desk.redrive(id, COMMAND_LINE);
      if (redriven.status === 'not-claimed') throw await refused(id);
      if (redriven.status === 'away') throw new CommandFailed(`Nothing was done: ${redriven.reason}.`);
      return { letter: await show(id), followed: redriven.status === 'redriven' ? redriven.followed : 0 };
    },
    async drop(id) {
      const dropped = await desk.drop(await letter(id), COMMAND_LINE);
      if (!dropped && (await letter(id)).status !== 'dropped') throw await refused(id);
      return show(id);
    },
  };
}

/** A line for each letter under a line of headings; times as ages. */
export function writtenLetters(letters: readonly ShownLetter[], nowMs: number): string {
  if (letters.length === 0) return 'There are no dead letters.\n';
  const ageOf = (instant: string) => age(nowMs - Date.parse(instant));
  const rows = letters.map(({ id, topic, key, status, attempts, changedBy, changedAt, code, reason, receivedAt }) => {
    const changed = changedAt === null ? '-' : `${ageOf(changedAt)} by ${changedBy ?? '-'}`;
    const why = reason.length > REASON_LENGTH_SHOWN ? `${reason.slice(0, REASON_LENGTH_SHOWN - 1)}…` : reason;
    return [id, ageOf(receivedAt), topic, key ?? '-', status, `${attempts}`, changed, code, why];
  });
  return columns([['id', 'age', 'topic', 'key', 'status', 'attempts', 'changed', 'code', 'reason'], ...rows]);
}

function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

function showOne(letter: ShownLetter, told: (value: unknown, text: string) => void): void {
  told(letter, writtenLetter(letter));
}

function writtenLetter(letter: ShownLetter): string {
  const { payload, payloadForm, headers, ...fields } = letter;
  const rows = Object.entries(fields).map(([name, value]) => [name, `${value ?? '-'}`]);
  const named = Object.entries(headers).map(([name, value]) => [`header ${name}`, value]);
  return `${columns([...rows, ...named])}\n${writtenPayload(payload, payloadForm)}\n`;
}

function writtenPayload(payload: unknown, form: ShownLetter['payloadForm']): string {
  if (form === 'json') return printableJson(payload, 2);
  if (form === 'text') return printable(String(payload));
  if (form === 'base64') return `(no text; in base64:) ${payload}`;
  return form === 'none' ? '(it has no value)' : '(it is encrypted with a key that is not known here)';
}

function writtenRedriven({ letter, followed }: RedrivenLetter): string {
  const { id, status, code, reason } = letter;
  if (status !== 'redriven') return `${id} failed again (${code}): ${printable(reason)}\n`;
  const more = followed === 0 ? '' : ` ${followed} that waited behind it followed.`;
  return `${id} has its effect.${more}\n`;
}

function writtenSum(
  { redriven, followed, overtaken }: { redriven: number; followed: number; overtaken: number },
  failed: readonly ShownLetter[],
): string {
  const others = overtaken === 0 ? '' : `, ${overtaken} were redriven or dropped by others`;
  const sum = `${redriven} redriven, ${followed} that waited followed, ${failed.length} failed again${others}.\n`;
  return failed.length === 0 ? sum : `${sum}${writtenLetters(failed, Date.now())}`;
}
