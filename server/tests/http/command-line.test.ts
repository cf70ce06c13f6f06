import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { holdfast, newFolder, ServerProcess } from './support/server-process.ts';

let server: ServerProcess;
const here = () => ({ HOLDFAST_DATA: server.folder });
beforeAll(async () => {
  server = await ServerProcess.start();
  await server.ready();
  await server.stockUp();
  await server.reserve('one');
});
afterAll(() => server.dispose());

describe('holdfast token', () => {
  it('prints a token alone on stdout, before the first start', async () => {
    const folder = join(newFolder(), 'not', 'there', 'yet');
    const args = ['token', '--role', 'pos', '--hq', 'HQ001', '--store', 'STORE001', '--ttl', '30m'];
    const { code, stdout, stderr } = await holdfast(args, { HOLDFAST_DATA: folder });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    expect(stderr).toContain('pos of HQ001, STORE001');
    const { iat = 0, exp = 0, ...claims } = decodeJwt(stdout.trim());
    expect(claims).toMatchObject({ role: 'pos', hq: 'HQ001', store: 'STORE001', iss: 'holdfast', aud: 'holdfast' });
    expect(exp - iat).toBeGreaterThanOrEqual(1_800);
    expect(existsSync(join(folder, 'token.key'))).toBe(true);
    rmSync(folder, { recursive: true });
  });

  it('works while the server runs, which takes the token', async () => {
    const { stdout } = await holdfast(['token', '--role', 'viewer', '--hq', 'HQ001'], here());
    expect((await server.ask('GET', '/api/v1/stock', undefined, stdout.trim())).status).toBe(200);
  });

  it.each([
    [['--role', 'pos', '--hq', 'HQ001'], 'must name its store'],
    [['--role', 'root'], 'Allowed choices are'],
    [[], '--role'],
    [['--role', 'admin', '--ttl', 'soon'], '--ttl'],
    [['--role', 'admin', '--hq', 'a b'], '--hq'],
  ])('%j is refused', async (args, why) => {
    const { code, stdout, stderr } = await holdfast(['token', ...args], here());
    expect(code).not.toBe(0);
    expect(stdout).toBe('');
    expect(stderr).toContain(why);
  });

  it('of a cluster is signed with JWT_SECRET, and without one refused', async () => {
    const cluster = { ...here(), HOLDFAST_MODE: 'cluster' };
    const args = ['token', '--role', 'admin'];
    expect((await holdfast(args, cluster)).stderr).toContain('JWT_SECRET is not set');
    const signed = await holdfast(args, { ...cluster, JWT_SECRET: 'q7Zk1vR9xW3mT5bN8cL2pF6hJ4dG0sYu' });
    expect(signed.code).toBe(0);
  });
});

async function exportedAndVerified(): Promise<void> {
  const exported = await holdfast(['export', 'stock', '--hq', 'HQ001'], here());
  expect(exported.stdout).toMatch(/^storeId,productId,onHand.*\r\nSTORE001,PRD001,1000000,1,/);
  const verified = await holdfast(['verify', '--json'], here());
  const report = JSON.parse(verified.stdout) as {
    ok: boolean;
    partitions: { partition: number; seq: number; hash: string }[];
  };
  expect([verified.code, report.ok]).toEqual([0, true]);
  const head = report.partitions[0];
  expect((await holdfast(['verify', '--head', `${head?.partition}:${head?.seq}:${head?.hash}`], here())).code).toBe(0);
  expect((await holdfast(['verify', '--head', `${head?.partition}:${head?.seq}:${'0'.repeat(64)}`], here())).code).toBe(
    1,
  );
  const rebuilt = await holdfast(['rebuild'], here());
  expect(rebuilt.stdout).toMatch(/^Built .*levels.* from \d+ entries/);
  expect((await holdfast(['rebuild', 'nonsense'], here())).stderr).toContain('nonsense');
}

describe('commands that touch data', { timeout: 120_000 }, () => {
  it('go through the running server', exportedAndVerified);

  it('open the data themselves when none runs', async () => {
    server.child.kill('SIGTERM');
    await server.ended;
    await exportedAndVerified();
  });

  it('say so when there is none', async () => {
    const { code, stderr } = await holdfast(['verify'], { HOLDFAST_DATA: '/nonexistent/folder' });
    expect(code).toBe(1);
    expect(stderr).toContain('There is no data in /nonexistent/folder');
  });
});
