import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const MAIN = join(import.meta.dirname, '../../src/main.ts');
const TOYS = join(import.meta.dirname, '../../../examples/toys');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-import-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function start(...args: string[]): ChildProcess {
  const environment = { ...process.env, HOLDFAST_DATA: join(folder, 'data'), HOLDFAST_PORT: '0', HOLDFAST_LOG: 'warn' };
  return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function ended(child: ChildProcess): Promise<{ code: number | null; out: string; notes: string }> {
  const texts = { out: '', notes: '' };
  child.stdout?.on('data', (piece) => {
    texts.out += piece;
  });
  child.stderr?.on('data', (piece) => {
    texts.notes += piece;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...texts };
}

const run = (...args: string[]) => ended(start(...args));

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

describe('holdfast import', () => {
  it('makes the installation and ends with the counts', async () => {
    expect(await run('import', 'stores', join(TOYS, 'stores.csv'), '--hq', 'HQ001')).toMatchObject({
      code: 0,
      out: 'stores: 50 rows, 50 imported\n',
    });
    const products = await run('import', 'products', join(TOYS, 'products.csv'), '--hq', 'HQ001');
    expect(products).toMatchObject({ code: 0, out: 'products: 35 rows, 35 imported\n' });
    const map = 'Store_ID=storeId,Product_ID=productId,Stock_On_Hand=quantity';
    const stock = () => run('import', 'stock', join(TOYS, 'inventory.csv'), '--hq', 'HQ001', '--map', map);
    expect(await stock()).toMatchObject({ code: 0, out: 'stock: 1593 rows, 1593 imported\n' });
    expect((await stock()).out).toBe('stock: 1593 rows, 0 imported, 1593 were in already, from this same file\n');
  }, 60_000);

  it('tells file, line and column of refused rows and exits with 1', async () => {
    const file = write('bad.csv', 'Store_ID,Product_ID,Stock_On_Hand\n1,1,-4\n1,2,3\n');
    const stopped = await run('import', 'stock', file, '--hq', 'HQ001');
    expect(stopped).toMatchObject({ code: 1, out: 'stock: nothing imported; 1 of 2 rows refused\n' });
    expect(stopped.notes).toContain(`${file}:2: Stock_On_Hand: "-4" is negative\n`);
    const skipped = await run('import', 'stock', file, '--hq', 'HQ001', '--on-error', 'skip');
    expect(skipped).toMatchObject({ code: 1, out: 'stock: 2 rows, 1 imported, 1 refused\n' });
  }, 60_000);

  it.each([
    ['no file', ['import', 'stock', '/nowhere/at-all.csv', '--hq', 'HQ001']],
    ['no HQ', ['import', 'stock', join(TOYS, 'inventory.csv')]],
    ['an HQ that is no id', ['import', 'stock', join(TOYS, 'inventory.csv'), '--hq', 'a b']],
    ['a mapping that is none', ['import', 'stock', join(TOYS, 'inventory.csv'), '--hq', 'HQ001', '--map', 'x']],
    ['an unknown kind', ['import', 'shelves', join(TOYS, 'inventory.csv'), '--hq', 'HQ001']],
    ['an unknown policy', ['import', 'stock', join(TOYS, 'inventory.csv'), '--hq', 'HQ001', '--on-error', 'hope']],
  ])('exits with 2 for %s', async (_, args) => {
    const { code, out, notes } = await run(...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(notes).not.toBe('');
  });

  it('stops on a signal, says how to go on, and goes on without doubles', async () => {
    const products = Array.from({ length: 5_000 }, (_, index) => `P${index}`);
    const catalog = write('catalog.csv', `productId,name\n${products.map((id) => `${id},p`).join('\n')}\n`);
    await run('import', 'products', catalog, '--hq', 'HQ001');
    const rows = products.flatMap((id) => Array.from({ length: 50 }, (_, store) => `${store + 1},${id},1`));
    const stock = write('many.csv', `storeId,productId,quantity\n${rows.join('\n')}\n`);
    const child = start('import', 'stock', stock, '--hq', 'HQ001');
    const done = ended(child);
    const spools = join(folder, 'data/imports');
    while (child.exitCode === null && readdirSync(spools).length === 0) await delay(5);
    child.kill('SIGTERM');
    const first = await done;
    const second = await run('import', 'stock', stock, '--hq', 'HQ001');
    expect(second.code, second.notes).toBe(0);
    if (first.code !== 0) {
      // Stopped while checking, or while importing: both say what is in.
      expect(first.code).toBe(1);
      const imported = Number(/; (\d+) of 250000 rows are imported/.exec(first.notes)?.[1] ?? 0);
      if (imported === 0) expect(first.notes).toContain('nothing was imported');
      expect(second.out).toContain(`${250_000 - imported} imported`);
    }
    const third = await run('import', 'stock', stock, '--hq', 'HQ001');
    expect(third.out).toBe('stock: 250000 rows, 0 imported, 250000 were in already, from this same file\n');
  }, 60_000);

  it('goes through the running server', async () => {
    const server = start('serve');
    const stopped = ended(server);
    const started = await Promise.race([once(server.stdout as NodeJS.ReadableStream, 'data'), stopped]);
    expect(started).toEqual([expect.anything()]);
    const file = write('more.csv', 'storeId,productId,quantity\n1,1,5\n2,1,6\n');
    expect(await run('import', 'stock', file, '--hq', 'HQ001')).toMatchObject({
      code: 0,
      out: 'stock: 2 rows, 2 imported\n',
    });
    const refused = await run('import', 'stock', write('bad.csv', 'storeId,quantity\n1,1\n'), '--hq', 'HQ001');
    expect(refused.code).toBe(1);
    expect(refused.notes).toContain('bad.csv:1: no column holds productId');
    const exported = await run('export', 'stock', '--hq', 'HQ001', '--store', '2');
    expect(exported.out).toContain('\r\n2,1,');
    server.kill('SIGTERM');
    await stopped;
  }, 60_000);
});
