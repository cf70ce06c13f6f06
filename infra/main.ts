// Local servers for cluster mode:
//
//   npm run infra:up                              starts what does not run; returns when every server answers
//       -- --debezium                             Kafka Connect with Debezium too
//       -- --registry                             a schema registry too
//       -- --from containers|packages             where they come from; at first containers where an engine runs
//   npm run infra:down [-- --wipe]                stops them; --wipe removes their data, ports and passwords too
//   npm run --silent infra:status [-- --json]     says what runs where

import { join } from 'node:path';
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { down, type Status, status, type UpOptions, up } from './local-servers.ts';
import { say } from './progress.ts';

const root = join(import.meta.dirname, '..');
const EXTRAS = ['debezium', 'registry'] as const;
const USAGE =
  'usage: npm run infra:up [-- --debezium --registry --from containers|packages] | infra:down [-- --wipe] | infra:status [-- --json]';

class WrongUse extends Error {}

async function main([command, ...args]: string[]): Promise<void> {
  switch (command) {
    case 'up':
      await up(root, upOptionsOf(args), say);
      return console.log(tableOf(await status(root)));
    case 'down':
      return down(root, { wipe: parse(args, { wipe: { type: 'boolean' } }).wipe ?? false }, say);
    case 'status': {
      const { json } = parse(args, { json: { type: 'boolean' } });
      const found = await status(root);
      return console.log(json ? JSON.stringify(found) : tableOf(found));
    }
    default:
      throw new WrongUse(USAGE);
  }
}

function upOptionsOf(args: string[]): UpOptions {
  const flag = { type: 'boolean' } as const;
  const { from, ...chosen } = parse(args, { debezium: flag, registry: flag, from: { type: 'string' } });
  const extras = EXTRAS.filter((name) => chosen[name] === true);
  if (from === undefined) return { extras };
  if (from === 'containers' || from === 'packages') return { extras, from };
  throw new WrongUse(`--from is containers or packages\n${USAGE}`);
}

function parse<T extends ParseArgsOptionsConfig>(args: string[], options: T) {
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new WrongUse(`${(error as Error).message}\n${USAGE}`);
  }
}

function tableOf(found: Status): string {
  const rows = Object.entries(found).map(([name, { state, port, pid }]) => {
    const columns = [name.padEnd(8), state.padEnd(8), `port ${port ?? '-'}`.padEnd(11), `process ${pid ?? '-'}`];
    return columns.join('  ');
  });
  return rows.join('\n');
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  say((error as Error).message);
  process.exitCode = error instanceof WrongUse ? 2 : 1;
}
