/** The application exactly as production builds it, asked without a socket unless a test needs one. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { LightMyRequestResponse } from 'fastify';
import { pino } from 'pino';
import type { Role } from '../../../src/access/roles.ts';
import { issueToken, TokenVerifier } from '../../../src/access/tokens.ts';
import type { RunningApplication } from '../../../src/application.ts';
import type { ConsumedTopic } from '../../../src/events/topics.ts';
import { buildHttpServer, type HttpServer } from '../../../src/http/server.ts';
import { Service } from '../../../src/http/service.ts';
import { Declared, type OpenApi } from './declared.ts';
import { newInstallation, type TestInstallation } from './test-installation.ts';

/** One description for all servers of a file. */
let declared: Declared | null = null;

const HOUR_MS = 3_600_000;
const ASKED_AGAIN_MAX = 100;
const ASK_AGAIN_MS = 100;
const log = pino({ level: 'silent' });

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD' | 'OPTIONS' | 'PATCH';

export interface Ask {
  token?: string | null;
  body?: unknown;
  headers?: Record<string, string>;
}

export interface Answered {
  status: number;
  headers: LightMyRequestResponse['headers'];
  text: string;
  /** Parsed, when there is JSON. */
  body: Record<string, unknown>;
}

export interface ParkedMessage {
  topic: ConsumedTopic;
  offset: bigint;
  key: string | null;
  hqId: string | null;
  text: string;
  headers?: Record<string, string>;
}

interface Node {
  application: RunningApplication;
  service: Service;
  http: HttpServer;
}

export class TestServer {
  readonly #installation: TestInstallation;
  readonly #nodes: readonly [Node, ...Node[]];
  #asked = 0;
  /** Of an admin of HQ001. */
  admin = '';

  private constructor(installation: TestInstallation, nodes: readonly [Node, ...Node[]]) {
    this.#installation = installation;
    this.#nodes = nodes;
  }

  static async start(installation?: TestInstallation, rateLimit: number | null = null): Promise<TestServer> {
    const place = installation ?? (await newInstallation());
    const [first, ...others] = await place.open();
    const node = (application: RunningApplication) => serve(application, place.folder, rateLimit);
    const server = new TestServer(place, [await node(first), ...(await Promise.all(others.map(node)))]);
    server.admin = await server.token('admin', 'HQ001');
    return server;
  }

  /** Of the first node, where there are several. */
  get application(): RunningApplication {
    return this.#nodes[0].application;
  }

  get service(): Service {
    return this.#nodes[0].service;
  }

  get http(): HttpServer {
    return this.#nodes[0].http;
  }

  token(
    role: Role,
    hqId: string | null = null,
    storeId: string | null = null,
    subject: string = role,
  ): Promise<string> {
    return issueToken(this.application.tokenKey, { role, hqId, storeId, subject, ttlMs: HOUR_MS }, Date.now());
  }

  /** The nodes take turns. */
  #next(): Node {
    this.#asked += 1;
    return this.#nodes[this.#asked % this.#nodes.length] as Node;
  }

  /**
   * As the admin of HQ001 unless another token, or null for none, is given. Nodes of a cluster may say 503 while partitions
   * change hands, and are asked again, as callers do.
   * @throws Error when the reply is not as the API page says.
   */
  async ask(method: Method, url: string, asked: Ask = {}): Promise<Answered> {
    for (let again = this.#nodes.length > 1 ? ASKED_AGAIN_MAX : 0; ; again -= 1) {
      const reply = await this.#askOnce(method, url, asked);
      if (reply.status !== 503 || again === 0) return reply;
      console.error(`${method} ${url} is asked again: ${reply.body.code}, ${reply.body.detail}`);
      await delay(ASK_AGAIN_MS);
    }
  }

  async #askOnce(method: Method, url: string, { token = this.admin, body, headers = {} }: Ask): Promise<Answered> {
    const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
    const json =
      body === undefined || headers['content-type'] !== undefined ? {} : { 'content-type': 'application/json' };
    const payload = body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) };
    const response = await this.#next().http.inject({
      method,
      url,
      headers: { ...authorization, ...json, ...headers },
      ...payload,
    });
    const breach = this.declared.breach(method, url, {
      status: response.statusCode,
      type: String(response.headers['content-type'] ?? ''),
      text: response.body,
    });
    if (breach !== null) throw new Error(breach);
    return answered(response);
  }

  get declared(): Declared {
    declared ??= new Declared(this.http.swagger() as unknown as OpenApi);
    return declared;
  }

  /** HQ001 with two stores and two products: 1 000 of each in the pool, 100 of PRD001 at STORE001. */
  async stockUp(): Promise<void> {
    for (const store of ['STORE001', 'STORE002']) await this.#put(`/api/v1/admin/stores/${store}`);
    for (const product of ['PRD001', 'PRD002']) await this.#put(`/api/v1/admin/products/${product}`);
    await this.#done('/api/v1/admin/inventory/receive', {
      items: [
        { productId: 'PRD001', quantity: 1_000 },
        { productId: 'PRD002', quantity: 1_000 },
      ],
    });
    await this.#done('/api/v1/admin/inventory/distribute', {
      storeId: 'STORE001',
      items: [{ productId: 'PRD001', quantity: 100 }],
      reason: 'opening',
    });
  }

  async #put(path: string): Promise<void> {
    const { status, text } = await this.ask('PUT', path, { body: { name: 'A name' } });
    if (status !== 201) throw new Error(`PUT ${path}: ${text}`);
  }

  async #done(path: string, body: object): Promise<void> {
    const { status, text } = await this.ask('POST', path, { body: { ...body, transactionId: `setup:${path}` } });
    if (status !== 200) throw new Error(`POST ${path}: ${text}`);
  }

  async reserve(quantity: number, transactionId: string, more: object = {}): Promise<string> {
    const { status, text, body } = await this.ask('POST', '/api/v1/inventory/reserve', {
      body: { storeId: 'STORE001', transactionId, items: [{ productId: 'PRD001', quantity }], ...more },
    });
    if (status !== 201) throw new Error(`reserve: ${text}`);
    return body.reservationId as string;
  }

  /** A letter, as the consumer would park it. @returns its id */
  async park({ topic, offset, key, hqId, text, headers = {} }: ParkedMessage): Promise<string> {
    const { letters } = this.application.letterDesk;
    const value = new TextEncoder().encode(text);
    const message = { topic, partition: 0, offset, key, headers: new Map(Object.entries(headers)), value, at: 0 };
    const ids = { hqId, orderId: key, eventId: null };
    await letters.park({ message, key, ...ids, code: 'UNKNOWN_PRODUCT', reason: 'a test', attempts: 3 });
    const [letter] = (await letters.list({ hqId: null, cursor: null, limit: 1 })).items;
    return letter?.id ?? '';
  }

  /** Stops it as a signal does, and starts another one on the same data. */
  async restart(): Promise<TestServer> {
    await this.#close();
    return TestServer.start(this.#installation);
  }

  async stop(): Promise<void> {
    await this.#close();
    await this.#installation.dispose();
  }

  async #close(): Promise<void> {
    const close = async ({ http, application }: Node) => {
      await http.close();
      await application.stop();
    };
    await Promise.all(this.#nodes.map(close));
  }
}

async function serve(application: RunningApplication, folder: string, rateLimit: number | null): Promise<Node> {
  const service = new Service({ servesApi: true });
  const verifier = new TokenVerifier(application.tokenKey, Date.now);
  const spoolFolder = join(folder, 'spool');
  const http = await buildHttpServer({ service, verifier, log, accessLog: false, rateLimit, spoolFolder });
  service.open(application);
  return { application, service, http };
}

function answered(response: LightMyRequestResponse): Answered {
  const isJson = String(response.headers['content-type'] ?? '').includes('json');
  const body = isJson && response.body !== '' ? (JSON.parse(response.body) as Record<string, unknown>) : {};
  return { status: response.statusCode, headers: response.headers, text: response.body, body };
}
