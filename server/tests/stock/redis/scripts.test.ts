/** The scripts against their headers and their calls. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { WINDOW_BOUNDS } from '../../../src/stock/operation-memory.ts';
import { SCRIPT_ARGUMENTS } from '../../../src/stock/redis/script-arguments.ts';
import { headerOf, Scripts } from '../../../src/stock/redis/scripts.ts';

const LUA = join(import.meta.dirname, '../../../src/stock/redis/lua');
const read = (path: string) => readFileSync(join(LUA, path), 'utf8');
const luaIn = (folder: string) =>
  readdirSync(join(LUA, folder))
    .filter((file) => file.endsWith('.lua'))
    .map((file) => file.slice(0, -4));

describe('the scripts', () => {
  it('are those that are called, each under its name', () => {
    expect(luaIn('.').sort()).toEqual(Object.keys(SCRIPT_ARGUMENTS).sort());
    for (const name of luaIn('.')) expect(headerOf(name, read(`${name}.lua`)).script).toBe(name);
  });

  it('use every argument that they name', () => {
    const shared = luaIn('include').map((name) => read(`include/${name}.lua`));
    for (const name of luaIn('.')) {
      const text = read(`${name}.lua`);
      const body = [text, ...shared].join('\n').replaceAll(/^--.*$/gm, '');
      for (const each of headerOf(name, text).arguments) {
        expect(body, `${each} in ${name}`).toMatch(new RegExp(`\\b${each}\\b`));
      }
    }
  });

  it.each([
    ['another argument', (text: string) => text.replace('-- arguments: partition', '-- arguments: part')],
    ['the header of another script', (text: string) => text.replace('-- script: reserve', '-- script: issue')],
    ['no version', (text: string) => text.replace('-- version', '-- verse')],
  ])('are refused with %s', (_what, change) => {
    const source = (path: string) => (path === 'reserve.lua' ? change(read(path)) : read(path));
    expect(() => new Scripts(WINDOW_BOUNDS, source)).toThrow('lua/reserve.lua');
  });
});
