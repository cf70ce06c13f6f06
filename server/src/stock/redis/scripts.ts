/**
 * The Lua scripts: read from `lua/`, put together into one library of functions (Redis 7), called by name. The first
 * lines of each are its contract: its name, its version, its keys and its arguments; the names of the arguments become
 * variables, so a body cannot disagree with its header, and a call names each of them. A library, unlike a script, makes
 * its functions once and not at every call: a reserve takes half the time.
 */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENTRY_VERSION } from '../entry.ts';
import { SYSTEM_OPERATIONS } from '../identifiers.ts';
import { EXPIRE_BATCH_MAX, ON_HAND_MAX } from '../limits.ts';
import { WINDOW_BOUNDS, type WindowBounds } from '../operation-memory.ts';
import { WAKE_CHANNEL } from './keys.ts';
import type { RedisConnection, RedisReply } from './redis-connection.ts';
import { SCRIPT_ARGUMENTS, type ScriptArguments, type ScriptName, SHARED_ARGUMENTS } from './script-arguments.ts';

/** Commands of a partition that may wait for the ledger before new ones are refused. */
const UNRECORDED_MAX = 16_384;
/** How far the engine's clock may be ahead of a caller's before nothing expires by it any more. */
const CLOCK_AHEAD_MS_MAX = 2_000;

/** What all scripts share, each after what it uses. */
const INCLUDES = [
  'text',
  'clock',
  'head',
  'moment',
  'stock',
  'holds',
  'ruling',
  'append',
  'expire',
  'window',
  'decide',
  'items',
  'pairs',
];

const FOLDER = join(import.meta.dirname, 'lua');

/** Texts by path below `lua/`. */
export type ScriptSource = (path: string) => string;

const FILES: ScriptSource = (path) => readFileSync(join(FOLDER, path), 'utf8');

interface Header {
  script: string;
  version: number;
  arguments: string[];
}

export class Scripts {
  /** Named after its content: processes of two versions each call their own. */
  readonly #library: string;
  readonly #text: string;
  readonly #functions = new Map<ScriptName, string>();
  #loading: Promise<void> | null = null;

  /** `bounds` and `source` are narrowed and changed by tests alone. */
  constructor(bounds: WindowBounds = WINDOW_BOUNDS, source: ScriptSource = FILES) {
    const names = Object.keys(SCRIPT_ARGUMENTS) as ScriptName[];
    const parts = [
      constantsOf(bounds),
      `local head_key, prefix\nlocal ${SHARED_ARGUMENTS.map(snake).join(', ')}`,
      ...INCLUDES.map((include) => source(`include/${include}.lua`)),
      ...names.map((name) => functionOf(name, source(`${name}.lua`))),
    ];
    const body = stripped(parts.join('\n'));
    this.#library = `holdfast_${hash('sha1', body, 'hex').slice(0, 12)}`;
    for (const name of names) this.#functions.set(name, `${this.#library}_${snake(name)}`);
    this.#text = `#!lua name=${this.#library}\nlocal LIBRARY = '${this.#library}'\n${body}`;
  }

  /** Gives the library to every master. Redis keeps it with its data and gives it to replicas. */
  load(connection: RedisConnection): Promise<void> {
    this.#loading ??= this.#load(connection).finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  async #load(connection: RedisConnection): Promise<void> {
    const masters = await connection.masters();
    await Promise.all(masters.map((node) => node.send(['FUNCTION', 'LOAD', 'REPLACE', this.#text])));
  }

  /** A server that does not know the library is given it. Throws what `RedisConnection.send` throws. */
  async call<Name extends ScriptName>(
    connection: RedisConnection,
    name: Name,
    key: string,
    values: ScriptArguments<Name>,
  ): Promise<readonly RedisReply[]> {
    const args = ['FCALL', this.#functions.get(name) as string, '1', key];
    for (const argument of SCRIPT_ARGUMENTS[name]) args.push(String(values[argument as keyof ScriptArguments<Name>]));
    try {
      return (await connection.send(key, args)) as readonly RedisReply[];
    } catch (error) {
      if (!(error as Error).message.includes('Function not found')) throw error;
    }
    await this.load(connection);
    return (await connection.send(key, args)) as readonly RedisReply[];
  }
}

/** @throws Error when the header is incomplete. */
export function headerOf(name: string, text: string): Header {
  const field = (of: string) => new RegExp(`^-- ${of}: (.*)$`, 'm').exec(text)?.[1]?.split(' ');
  const [script, version, keys, args] = [field('script'), field('version'), field('keys'), field('arguments')];
  if (script?.[0] === undefined || version === undefined || args === undefined) {
    throw new Error(`lua/${name}.lua does not begin with its script, version, keys and arguments`);
  }
  if (script[0] !== name || keys?.join() !== 'head') {
    throw new Error(`lua/${name}.lua carries the header of ${script[0]} with the keys ${keys}`);
  }
  return { script: name, version: Number(version[0]), arguments: args };
}

/** The script's own functions, and the one that Redis calls. */
function functionOf(name: ScriptName, body: string): string {
  const header = headerOf(name, body);
  const expected: readonly string[] = SCRIPT_ARGUMENTS[name];
  if (header.arguments.join() !== expected.map(snake).join()) {
    throw new Error(`lua/${name}.lua takes ${header.arguments.join(' ')}, its calls give ${expected.join(' ')}`);
  }
  const shared = new Set<string>(SHARED_ARGUMENTS.map(snake));
  const own = header.arguments.filter((argument) => !shared.has(argument));
  const values = header.arguments.map((_argument, index) => `args[${index + 1}]`);
  return [
    'do',
    own.length === 0 ? '' : `local ${own.join(', ')}`,
    body,
    `redis.register_function(LIBRARY .. '_${snake(name)}', function(keys, args)`,
    `head_key, ${header.arguments.join(', ')} = keys[1], ${values.join(', ')}`,
    "prefix = '{p' .. (partition or '') .. '}:e' .. epoch .. ':'",
    'read_nothing_yet()',
    'return run()',
    'end)',
    'end',
  ].join('\n');
}

/** Comments and indentation are for readers. */
function stripped(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('--')).join('\n');
}

function snake(name: string): string {
  return name.replaceAll('-', '_').replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function constantsOf({ windowMs, countMax, keepMs, countHard }: WindowBounds): string {
  const constants = {
    ENTRY_VERSION: `'${ENTRY_VERSION}'`,
    WAKE_CHANNEL: `'${WAKE_CHANNEL}'`,
    SYSTEM_OPERATIONS: `{ ${SYSTEM_OPERATIONS.map((first) => `${first} = true`).join(', ')} }`,
    UNRECORDED_MAX,
    CLOCK_AHEAD_MS_MAX,
    EXPIRE_BATCH_MAX,
    ON_HAND_MAX,
    WINDOW_MS: windowMs,
    WINDOW_COUNT_MAX: countMax,
    WINDOW_KEEP_MS: keepMs,
    WINDOW_COUNT_HARD: countHard,
  };
  return Object.entries(constants)
    .map(([constant, value]) => `local ${constant} = ${value}`)
    .join('\n');
}
