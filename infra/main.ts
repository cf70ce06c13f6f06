// Local servers for cluster mode:
//
//   npm run infra:up [-- --debezium]              starts what does not run; returns when every server answers
//   npm run infra:down [-- --wipe]                stops them; --wipe removes their data, ports and passwords too
//   npm run --silent infra:status [-- --json]     says what runs where

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { down, type Status, status, up } from './local-servers.ts';
import { say } from './progress.ts';

const root = join(import.meta.dirname, '..');
const USAGE = 'usage: npm run infra:up [-- --debezium] | infra:down [-- --wipe] | infra:status [-- --json]';

class WrongUse extends Error {}

async function main([command, ...args]: string[]): Promise<void> {
  switch (command) {
    case 'up':
      await up(root, { debezium: optionsOf(args, ['debezium']).has('debezium') }, say);
      return console.log(tableOf(await status(root)));
    case 'down':
      return down(root, { wipe: optionsOf(args, ['wipe']).has('wipe') }, say);
    case 'status': {
      const json = optionsOf(args, ['json']).has('json');
      const found = await status(root);
      return console.log(json ? JSON.stringify(found) : tableOf(found));
    }
    default:
      throw new WrongUse(USAGE);
  }
}

function optionsOf(args: string[], names: string[]): Set<string> {
  try {
    const options = Object.fromEntries(names.map((name) => [name, { type: 'boolean' as const }]));
    return new Set(Object.keys(parseArgs({ args, options }).values));
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
