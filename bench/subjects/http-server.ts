/** The real server in a process of its own, as `npm start` runs it, with a probe beside it. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { loadTokenKey, sharedTokenKey } from '../../server/src/access/token-key.ts';
import { issueToken } from '../../server/src/access/tokens.ts';
import { MeasuredProcess } from '../harness/child-process.ts';
import type { Profiling } from '../harness/profile.ts';
import type { ClusterPlace } from './cluster.ts';
import { type Commits, commitsOf } from './commits.ts';
import { HQ, productId, type Stock, storeId } from './stock.ts';

const SERVER = new URL('../../server/src/main.ts', import.meta.url);
const PROBE = new URL('../load/server-probe.ts', import.meta.url);
const READY_MS_MAX = 60_000;
const READY_POLL_MS = 50;
const SECRET_BYTES = 32;
const TOKEN_TTL_MS = 8 * 3_600_000;
/** The most that one request adds (`QUANTITY_MAX`). */
const QUANTITY_MAX = 1_000_000;

export class HttpServerSubject {
  readonly port: number;
  readonly process: MeasuredProcess;
  /** Of a till of the first store. */
  readonly tillToken: string;
  readonly #adminToken: string;

  private constructor(port: number, process: MeasuredProcess, tokens: { till: string; admin: string }) {
    this.port = port;
    this.process = process;
    this.tillToken = tokens.till;
    this.#adminToken = tokens.admin;
  }

  /** `place`: of the cluster that it is a node of; without one it is embedded. */
  static async start(folder: string, profiling: Profiling | null, place?: ClusterPlace): Promise<HttpServerSubject> {
    const secret = place === undefined ? undefined : randomBytes(SECRET_BYTES).toString('hex');
    const port = await freePort();
    const process = MeasuredProcess.start(SERVER, {
      args: ['serve'],
      flags: [`--import=${PROBE.href}`],
      env: {
        HOLDFAST_PORT: String(port),
        HOLDFAST_DATA: folder,
        NODE_ENV: 'production',
        ...(place === undefined ? {} : { ...clusterSettings(place), JWT_SECRET: secret as string }),
      },
      profiling,
    });
    try {
      await ready(port);
      const grant = { hqId: HQ, ttlMs: TOKEN_TTL_MS };
      const key = secret === undefined ? loadTokenKey(folder) : sharedTokenKey(secret);
      const admin = await issueToken(key, { ...grant, role: 'admin', storeId: null }, Date.now());
      const till = await issueToken(key, { ...grant, role: 'pos', storeId: storeId(0) }, Date.now());
      return new HttpServerSubject(port, process, { till, admin });
    } catch (error) {
      await process.stop();
      throw error;
    }
  }

  async stockUp({ stores, products, quantity }: Stock): Promise<void> {
    for (let store = 0; store < stores; store += 1) {
      await this.#ask('PUT', `/api/v1/admin/stores/${storeId(store)}`, { name: `Store ${store + 1}` });
    }
    for (let product = 0; product < products; product += 1) {
      const id = productId(product);
      await this.#ask('PUT', `/api/v1/admin/products/${id}`, { name: `Product ${product + 1}` });
      for (let store = 0; store < stores; store += 1) {
        for (let left = quantity; left > 0; left -= QUANTITY_MAX) {
          const body = {
            quantity: Math.min(left, QUANTITY_MAX),
            storeId: storeId(store),
            transactionId: `stock-${id}-${store}-${left}`,
          };
          await this.#ask('POST', `/api/v1/admin/inventory/${id}/add`, body);
        }
      }
    }
  }

  /** Since the start, by the server's own metrics. */
  async commits(): Promise<Commits> {
    return commitsOf(await (await fetch(`http://127.0.0.1:${this.port}/metrics`)).text());
  }

  /** Commands decided and not yet recorded, now. */
  async unrecorded(): Promise<number> {
    const metrics = await (await fetch(`http://127.0.0.1:${this.port}/metrics`)).text();
    return Number(/^holdfast_unrecorded_commands (\S+)/m.exec(metrics)?.[1] ?? Number.NaN);
  }

  async #ask(method: string, path: string, body: unknown): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#adminToken}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} was answered with ${response.status}: ${text}`);
  }
}

function clusterSettings({ redisUrl, database }: ClusterPlace): Record<string, string> {
  return {
    HOLDFAST_MODE: 'cluster',
    HOLDFAST_ROLES: 'api,recorder,scheduler',
    REDIS_URL: redisUrl,
    DB_HOST: database.host,
    DB_PORT: String(database.port),
    DB_NAME: database.database,
    DB_USERNAME: database.user,
    DB_PASSWORD: database.password,
  };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('there is no free port');
  return address.port;
}

async function ready(port: number): Promise<void> {
  const giveUpAt = performance.now() + READY_MS_MAX;
  while (performance.now() < giveUpAt) {
    const status = await fetch(`http://127.0.0.1:${port}/health/ready`).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return;
    await delay(READY_POLL_MS);
  }
  throw new Error('the server did not become ready');
}
