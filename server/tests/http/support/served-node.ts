/** One node of a cluster within the process of a test, asked without a socket. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { issueToken, TokenVerifier } from '../../../src/access/tokens.ts';
import type { RunningApplication } from '../../../src/application.ts';
import { readClusterConfiguration } from '../../../src/cli/cluster-configuration.ts';
import { openClusterNode } from '../../../src/compose-cluster.ts';
import { buildHttpServer, type HttpServer } from '../../../src/http/server.ts';
import { Service } from '../../../src/http/service.ts';
import type { Detours, TestCluster } from '../../support/test-cluster.ts';
import { untilReady } from './test-installation.ts';

const TOKEN_TTL_MS = 3_600_000;
const log = pino({ level: 'silent' });

export interface NodeOptions {
  node: string;
  roles?: string;
  detours?: Detours;
  /** More settings. */
  environment?: Record<string, string>;
}

export interface NodeReply {
  status: number;
  headers: Record<string, unknown>;
  text: string;
  body: Record<string, unknown>;
}

export class ServedNode {
  readonly application: RunningApplication;
  readonly http: HttpServer;
  readonly #folder: string;
  readonly token: string;

  private constructor(application: RunningApplication, http: HttpServer, folder: string, token: string) {
    this.application = application;
    this.http = http;
    this.#folder = folder;
    this.token = token;
  }

  static async open(cluster: TestCluster, options: NodeOptions): Promise<ServedNode> {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-node-'));
    const { node, roles, detours } = options;
    const environment = { ...cluster.environment(detours), ...options.environment, HOLDFAST_NODE: node };
    const tokenKey = new TextEncoder().encode(cluster.secret);
    const spoolFolder = join(folder, 'imports');
    const application = await openClusterNode({
      ...readClusterConfiguration(environment, roles),
      tokenKey,
      spoolFolder,
      log,
    });
    const service = new Service({ servesApi: true });
    const verifier = new TokenVerifier(tokenKey, Date.now);
    const http = await buildHttpServer({ service, verifier, log, accessLog: false, rateLimit: null, spoolFolder });
    service.open(application);
    const grant = { role: 'admin' as const, hqId: 'HQ001', storeId: null, ttlMs: TOKEN_TTL_MS };
    return new ServedNode(application, http, folder, await issueToken(tokenKey, grant, Date.now()));
  }

  untilReady(): Promise<void> {
    return untilReady(this.application);
  }

  async ask(method: 'GET' | 'POST' | 'PUT', url: string, body?: object): Promise<NodeReply> {
    const headers = { authorization: `Bearer ${this.token}` };
    const reply = await this.http.inject({ method, url, headers, ...(body === undefined ? {} : { payload: body }) });
    const parsed = reply.body.startsWith('{') ? (JSON.parse(reply.body) as Record<string, unknown>) : {};
    return { status: reply.statusCode, headers: reply.headers, text: reply.body, body: parsed };
  }

  /** STORE001 with plenty of PRD001. */
  async stockUp(): Promise<void> {
    await this.ask('PUT', '/api/v1/admin/stores/STORE001', { name: 'A store' });
    await this.ask('PUT', '/api/v1/admin/products/PRD001', { name: 'A product' });
    const body = { storeId: 'STORE001', quantity: 1_000_000, transactionId: 'stock-up' };
    const { status, text } = await this.ask('POST', '/api/v1/admin/inventory/PRD001/add', body);
    if (status !== 200) throw new Error(text);
  }

  reserve(transactionId: string): Promise<NodeReply> {
    const body = {
      storeId: 'STORE001',
      transactionId,
      items: [{ productId: 'PRD001', quantity: 1 }],
      ttlMs: 3_600_000,
    };
    return this.ask('POST', '/api/v1/inventory/reserve', body);
  }

  /** Of PRD001 at STORE001. */
  async reservedUnits(): Promise<number> {
    const { status, text, body } = await this.ask('GET', '/api/v1/stores/STORE001/products/PRD001/stock');
    if (status !== 200) throw new Error(text);
    return body.reservedStock as number;
  }

  async stop(): Promise<void> {
    await this.http.close();
    await this.application.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
