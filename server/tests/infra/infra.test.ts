// infra:up, infra:down, infra:status, run through npm as people run them, in a checkout of their own.

import { type ExecFileException, execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createConnection } from 'mariadb';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Status } from '../../../infra/local-servers.ts';
import { describeWith } from '../support/servers/servers.ts';
import { processesNaming, ROOT, serverFolder } from '../support/servers/test-server.ts';

const VARIABLES = [
  'HOLDFAST_MODE',
  'REDIS_URL',
  'DB_HOST',
  'DB_PORT',
  'DB_NAME',
  'DB_USERNAME',
  'DB_PASSWORD',
  'KAFKA_BOOTSTRAP_SERVERS',
  'JWT_SECRET',
];

interface Run {
  code: number;
  stdout: string;
  stderr: string;
}

describeWith(
  ['redis', 'mariadb', 'kafka'],
  'the local servers',
  () => {
    let checkout: string;

    /** Returns when nobody holds the command's streams any more, servers included. */
    function npm(script: string, ...args: string[]): Promise<Run> {
      const options = { cwd: checkout, env: { ...process.env, NO_UPDATE_NOTIFIER: '1' } };
      return new Promise((resolve) => {
        execFile('npm', ['run', '--silent', script, '--', ...args], options, (error, stdout, stderr) =>
          resolve({ code: Number((error as ExecFileException | null)?.code ?? 0), stdout, stderr }),
        );
      });
    }

    async function status(): Promise<Status> {
      return JSON.parse((await npm('infra:status', '--json')).stdout) as Status;
    }

    const envFile = () => join(checkout, '.infra', 'env');
    const environment = () =>
      Object.fromEntries(
        readFileSync(envFile(), 'utf8')
          .trimEnd()
          .split('\n')
          .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
      );
    const processes = () => processesNaming(join(checkout, '.infra'));

    async function query(sql: string): Promise<unknown> {
      const { DB_HOST, DB_PORT, DB_NAME, DB_USERNAME, DB_PASSWORD } = environment();
      const url = `mariadb://${DB_USERNAME}:${DB_PASSWORD}@${DB_HOST}:${DB_PORT}/${DB_NAME}`;
      const connection = await createConnection(url);
      try {
        return await connection.query(sql);
      } finally {
        await connection.end();
      }
    }

    beforeAll(() => {
      checkout = serverFolder('checkout');
      for (const name of ['infra', 'scripts', 'package.json']) {
        cpSync(join(ROOT, name), join(checkout, name), { recursive: true });
      }
      symlinkSync(join(ROOT, 'node_modules'), join(checkout, 'node_modules'));
      mkdirSync(join(checkout, '.infra'));
      symlinkSync(join(ROOT, '.infra', 'programs'), join(checkout, '.infra', 'programs'));
    });

    afterAll(async () => {
      await npm('infra:down', '--wipe');
    });

    it('are stopped at first, and the status says so: JSON alone', async () => {
      const none = { state: 'stopped', pid: null, port: null };
      expect(await npm('infra:status', '--json')).toEqual({
        code: 0,
        stdout: `${JSON.stringify({ redis: none, mariadb: none, kafka: none })}\n`,
        stderr: '',
      });
    });

    it('start once when two ask at the same time, and all answer then', async () => {
      const runs = await Promise.all([npm('infra:up', '--from', 'packages'), npm('infra:up', '--from', 'packages')]);
      expect(runs.map(({ code }) => code)).toEqual([0, 0]);
      expect(processes()).toHaveLength(3);
      const found = await status();
      expect(Object.values(found).map(({ state }) => state)).toEqual(['running', 'running', 'running']);
      expect(Object.values(found).map(({ pid }) => pid)).toEqual(expect.arrayContaining(processes()));
      expect(await query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    });

    it('are all in .infra/env, which only this user reads', () => {
      expect(statSync(envFile()).mode & 0o777).toBe(0o600);
      expect(Object.keys(environment())).toEqual(VARIABLES);
      expect(environment().JWT_SECRET!.length).toBeGreaterThanOrEqual(32);
      expect(environment().REDIS_URL).toMatch(/^redis:\/\/:\w{32,}@127\.0\.0\.1:\d+$/);
    });

    it('stay as they are when they are started again', async () => {
      const before = { status: await status(), environment: environment() };
      expect((await npm('infra:up')).code).toBe(0);
      expect({ status: await status(), environment: environment() }).toEqual(before);
    });

    it('that were killed come back alone, on the same port and data', async () => {
      const before = await status();
      await query('CREATE TABLE kept (id INT PRIMARY KEY)');
      await query('INSERT INTO kept VALUES (1)');
      process.kill(before.mariadb.pid!, 'SIGKILL');
      expect((await npm('infra:up')).code).toBe(0);
      const after = await status();
      expect(after.mariadb).toEqual({ ...before.mariadb, pid: expect.any(Number) });
      expect(after.mariadb.pid).not.toBe(before.mariadb.pid);
      expect({ ...after, mariadb: null }).toEqual({ ...before, mariadb: null });
      expect(await query('SELECT id FROM kept')).toEqual([{ id: 1 }]);
    });

    it('leave no process behind, and say whose port it is when another program took one', async () => {
      const { redis } = await status();
      expect((await npm('infra:down')).code).toBe(0);
      expect(processes()).toEqual([]);
      expect((await status()).redis).toEqual({ state: 'stopped', pid: null, port: redis.port });
      const other = createServer().listen(redis.port!, '127.0.0.1');
      const { code, stderr } = await npm('infra:up');
      other.close();
      expect(code).toBe(1);
      expect(stderr).toContain(`Port ${redis.port}, which Redis was given at its first start, is taken`);
    });

    it('leave nothing behind with --wipe', async () => {
      expect((await npm('infra:down', '--wipe')).code).toBe(0);
      expect(processes()).toEqual([]);
      for (const name of ['env', 'servers.json', 'redis', 'mariadb', 'kafka']) {
        expect(existsSync(join(checkout, '.infra', name)), name).toBe(false);
      }
      expect(existsSync(join(checkout, '.infra', 'programs'))).toBe(true);
    });

    it('tell wrong use from failure', async () => {
      const { code, stderr } = await npm('infra:down', '--wip');
      expect(code).toBe(2);
      expect(stderr).toContain('usage: ');
    });
  },
  { timeout: 120_000 },
);
