/**
 * The Lua scripts: read from `lua/`, put together from their includes, and called by name. The first lines of each are
 * its contract: what it is called, its version, its keys and its arguments; the names of the arguments become locals, so
 * a body cannot disagree with its header, and a call names each of them.
 */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENTRY_VERSION } from '../entry.ts';
import { EXPIRE_BATCH_MAX, ON_HAND_MAX } from '../limits.ts';
import { WINDOW_BOUNDS, type WindowBounds } from '../operation-memory.ts';
import { WAKE_CHANNEL } from './keys.ts';
import type { RedisConnection, RedisReply } from './redis-connection.ts';
import { SCRIPT_ARGUMENTS, type ScriptArguments, type ScriptName } from './script-arguments.ts';

/** Commands of a partition that may wait for the ledger before new ones are refused. */
const UNRECORDED_MAX = 16_384;
/** How far the engine's clock may be ahead of a caller's before nothing expires by it any more. */
const CLOCK_AHEAD_MS_MAX = 2_000;

const FOLDER = join(import.meta.dirname, 'lua');

/** Texts by path below `lua/`. */
export type ScriptSource = (path: string) => string;

const FILES: ScriptSource = (path) => readFileSync(join(FOLDER, path), 'utf8');

interface Script {
  sha: string;
  text: string;
}

interface Header {
  script: string;
  version: number;
  arguments: string[];
  include: string[];
}

export class Scripts {
  readonly #scripts = new Map<ScriptName, Script>();

  /** `bounds` and `source` are narrowed and changed by tests alone. */
  constructor(bounds: WindowBounds = WINDOW_BOUNDS, source: ScriptSource = FILES) {
    const constants = constantsOf(bounds);
    for (const name of Object.keys(SCRIPT_ARGUMENTS) as ScriptName[]) {
      const text = assemble(name, constants, source);
      this.#scripts.set(name, { text, sha: hash('sha1', text, 'hex') });
    }
  }

  /** Gives the scripts to every master, so that the first commands are not each sent with a text. */
  async load(connection: RedisConnection): Promise<void> {
    for (const node of await connection.masters()) {
      await Promise.all([...this.#scripts.values()].map(({ text }) => node.send(['SCRIPT', 'LOAD', text])));
    }
  }

  /** Calls a script; a server that does not know it is given it. Throws what `RedisConnection.send` throws. */
  async call<Name extends ScriptName>(
    connection: RedisConnection,
    name: Name,
    key: string,
    values: ScriptArguments<Name>,
  ): Promise<readonly RedisReply[]> {
    const script = this.#scripts.get(name) as Script;
    const args = ['EVALSHA', script.sha, '1', key];
    for (const argument of SCRIPT_ARGUMENTS[name]) args.push(String(values[argument as keyof ScriptArguments<Name>]));
    try {
      return (await connection.send(key, args)) as readonly RedisReply[];
    } catch (error) {
      if (!(error as Error).message.startsWith('NOSCRIPT')) throw error;
    }
    args[0] = 'EVAL';
    args[1] = script.text;
    return (await connection.send(key, args)) as readonly RedisReply[];
  }
}

/** @throws Error when the header is incomplete. */
export function headerOf(name: string, text: string): Header {
  const field = (of: string) => new RegExp(`^-- ${of}:(.*)$`, 'm').exec(text)?.[1]?.trim().split(' ');
  const [script, version, keys] = [field('script'), field('version'), field('keys')];
  const [args, include] = [field('arguments'), field('include')];
  if (script?.[0] === undefined || version === undefined || args === undefined || include === undefined) {
    throw new Error(`lua/${name}.lua does not begin with its script, version, keys, arguments and include`);
  }
  if (script[0] !== name || keys?.join() !== 'head') {
    throw new Error(`lua/${name}.lua carries the header of ${script[0]} with the keys ${keys}`);
  }
  return { script: name, version: Number(version[0]), arguments: args, include };
}

function assemble(name: ScriptName, constants: string, source: ScriptSource): string {
  const body = source(`${name}.lua`);
  const header = headerOf(name, body);
  const expected: readonly string[] = SCRIPT_ARGUMENTS[name];
  if (header.arguments.map(camel).join() !== expected.join()) {
    throw new Error(`lua/${name}.lua takes ${header.arguments.join(' ')}, its calls give ${expected.join(' ')}`);
  }
  const values = header.arguments.map((_argument, index) => `ARGV[${index + 1}]`);
  const prologue = `-- ${name} ${header.version}\nlocal ${header.arguments.join(', ')} = ${values.join(', ')}\n`;
  const includes = header.include.filter(Boolean).map((include) => source(`include/${include}.lua`));
  return stripped([prologue, constants, ...includes, body].join('\n'));
}

/** Comments and indentation are for readers: a server that does not know a script is sent all of it. */
function stripped(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line, index) => line !== '' && (index === 0 || !line.startsWith('--'))).join('\n');
}

function camel(name: string): string {
  return name.replaceAll(/_(\w)/g, (_match, letter: string) => letter.toUpperCase());
}

function constantsOf({ windowMs, countMax, keepMs, countHard }: WindowBounds): string {
  const constants = {
    ENTRY_VERSION: `'${ENTRY_VERSION}'`,
    WAKE_CHANNEL: `'${WAKE_CHANNEL}'`,
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
