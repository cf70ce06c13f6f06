/** Registration at a real registry: what it has afterwards, what it refuses, and what is told while it is away. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../../../infra/ports.ts';
import { registerSchemas, WrongRegistryUrl } from '../../../src/events/registry/register-schemas.ts';
import { subjectsOf } from '../../../src/events/registry/subjects.ts';
import { TopicNames } from '../../../src/events/topics.ts';
import { newRegistry, type RegistryTestServer } from '../../support/servers/registry.ts';
import { describeWith } from '../../support/servers/servers.ts';
import { until } from '../../support/servers/until.ts';

const WAIT_MS_MAX = 60_000;
const names = (prefix: string) => new TopicNames({ prefix });

/** Registers, and hands over what was told once all is registered or refused. */
async function registered(url: string, prefix: string): Promise<{ lines: string[]; degraded: string | null }> {
  const log = told();
  const registration = registerSchemas({ url, names: names(prefix), log });
  await until('the schemas are registered', WAIT_MS_MAX, async () => log.lines.some((line) => line.startsWith('info')));
  const degraded = registration.degraded();
  await registration.close();
  return { lines: log.lines, degraded };
}

function told() {
  const lines: string[] = [];
  return {
    lines,
    info: (line: string) => void lines.push(`info ${line}`),
    warn: (line: string) => void lines.push(`warn ${line}`),
  };
}

describeWith(['registry'], 'a schema registry', () => {
  let registry: RegistryTestServer;

  /** What was told to one that came before the registry ran. */
  const early = { log: told(), away: '' };

  beforeAll(async () => {
    registry = await newRegistry();
    const url = registry.url.replace('//', '//clerk:hush-hush@');
    const registration = registerSchemas({ url, names: names('early.'), log: early.log });
    await until('it is noticed', WAIT_MS_MAX, async () => registration.degraded() !== null);
    early.away = registration.degraded() ?? '';
    await registry.start();
    await until('all is well', WAIT_MS_MAX, async () => registration.degraded() === null && early.log.lines.length > 1);
    await registration.close();
  }, 120_000);
  afterAll(() => registry[Symbol.asyncDispose]());

  async function ask(method: string, path: string, body?: object): Promise<{ status: number; json: unknown }> {
    const headers = { 'content-type': 'application/vnd.schemaregistry.v1+json' };
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const answer = await fetch(registry.url + path, { method, headers, ...sent });
    return { status: answer.status, json: await answer.json() };
  }

  const versionsOf = async (subject: string) => (await ask('GET', `/subjects/${subject}/versions`)).json;

  it('that is away is told of once, without its password, and gets the schemas when it is there', async () => {
    expect(early.away).toContain('does not answer (');
    expect(early.log.lines).toEqual([
      expect.stringContaining('warn the schema registry is away, and is tried again until it answers: http'),
      `info 10 event schemas are registered at ${registry.url}`,
    ]);
    expect(JSON.stringify(early)).not.toMatch(/clerk|hush/);
    expect(await versionsOf('early.stock.low-value')).toEqual([1]);
  });

  it('has each schema that we publish, under the name of its topic, after as many registrations as there are', async () => {
    const first = await registered(registry.url, 'shop.');
    expect(first).toEqual({ lines: [`info 10 event schemas are registered at ${registry.url}`], degraded: null });
    await Promise.all([registered(registry.url, 'shop.'), registered(registry.url, 'shop.')]);
    for (const { name, schemaType, schema, compatibility } of subjectsOf(names('shop.'))) {
      expect(await versionsOf(name), name).toEqual([1]);
      const latest = (await ask('GET', `/subjects/${name}/versions/latest`)).json as {
        schema: string;
        schemaType: string;
      };
      expect(JSON.parse(latest.schema), name).toEqual(JSON.parse(schema));
      expect(latest.schemaType ?? 'AVRO', name).toBe(schemaType);
      expect((await ask('GET', `/config/${name}`)).json, name).toEqual({ compatibilityLevel: compatibility });
    }
    expect(await versionsOf('shop.order.placed-value')).toMatchObject({ error_code: 40401 });
  });

  it('has each once, though three processes come at the same time', async () => {
    const all = await Promise.all(Array.from({ length: 3 }, () => registered(registry.url, 'many.')));
    for (const { degraded } of all) expect(degraded).toBeNull();
    for (const { name } of subjectsOf(names('many.'))) expect(await versionsOf(name), name).toEqual([1]);
  });

  it('leaves the level of compatibility that an operator chose', async () => {
    await ask('PUT', '/config/own.stock.low-value', { compatibility: 'BACKWARD' });
    await registered(registry.url, 'own.');
    expect((await ask('GET', '/config/own.stock.low-value')).json).toEqual({ compatibilityLevel: 'BACKWARD' });
  });

  it('refuses a change that is not compatible, and takes a new optional field', async () => {
    await registered(registry.url, 'next.');
    for (const { name, schemaType, schema } of subjectsOf(names('next.'))) {
      const post = async (text: string) =>
        (await ask('POST', `/subjects/${name}/versions`, { schemaType, schema: text })).status;
      const json = JSON.parse(schema);
      const fields = schemaType === 'AVRO' ? json.fields : json.properties.data.properties;
      const productOrHq = schemaType === 'AVRO' ? 1 : 'hqId';
      const retyped = structuredClone(json);
      const retypedFields = schemaType === 'AVRO' ? retyped.fields : retyped.properties.data.properties;
      retypedFields[productOrHq] = schemaType === 'AVRO' ? { name: 'productId', type: 'long' } : { type: 'integer' };
      expect(await post(JSON.stringify(retyped)), `${name} retyped`).toBe(409);
      if (schemaType === 'AVRO') fields.push({ name: 'hqId', type: ['null', 'string'], default: null });
      else fields.channel = { type: 'string' };
      expect(await post(JSON.stringify(json)), `${name} with a new optional field`).toBe(200);
    }
  });

  it('that has another schema of a subject is told of once, and all others are registered', async () => {
    const [name, data] = ['other.stock.low-value', { type: 'object', properties: { hqId: { type: 'integer' } } }];
    const theirs = { type: 'object', required: ['data', 'amount'], properties: { data, amount: { type: 'integer' } } };
    await ask('PUT', `/config/${name}`, { compatibility: 'FULL' });
    await ask('POST', `/subjects/${name}/versions`, { schemaType: 'JSON', schema: JSON.stringify(theirs) });
    const { lines, degraded } = await registered(registry.url, 'other.');
    expect(degraded).toBe(`schema registry: refuses ${name} (the log says why)`);
    expect(lines).toEqual([
      expect.stringMatching(
        /^warn the schema registry refuses our schema \(JSON\) of the subject other\.stock\.low-value.*409.*rename/,
      ),
      `info 9 event schemas are registered at ${registry.url}`,
    ]);
    expect(await versionsOf(name)).toEqual([1]);
    expect(await versionsOf('other.stock.sync.alert-value')).toEqual([1]);
  });
});

describe('what a registry is asked', () => {
  it.each([
    [404, 'knows no subjects'],
    [403, 'with 403: {}'],
  ])(
    'has the credentials of the address in a header; who answers %i is told of once, without them',
    async (status, why) => {
      const asked: (string | undefined)[] = [];
      const server = createServer((request, response) => {
        asked.push(request.headers.authorization);
        response.writeHead(status).end('{}');
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const log = told();
      const url = `http://cl%40rk:h%3Ash@127.0.0.1:${port}/`;
      const registration = registerSchemas({ url, names: names(''), log });
      await until('it is noticed', WAIT_MS_MAX, async () => registration.degraded() !== null);
      await registration.close();
      server.close();
      expect(new Set(asked)).toEqual(new Set([`Basic ${Buffer.from('cl@rk:h:sh').toString('base64')}`]));
      expect(registration.degraded()).toBe('schema registry: it cannot be used as it is (the log says why)');
      expect(log.lines).toEqual([
        expect.stringMatching(`warn event schemas are not registered, .*${why}.*SCHEMA_REGISTRY_URL`),
      ]);
      expect(log.lines.join()).not.toMatch(/cl@rk|h:sh|cl%40rk/);
    },
  );

  it('ends at once when it is closed while the registry is away', async () => {
    const log = told();
    const registration = registerSchemas({ url: `http://127.0.0.1:${await freePort()}`, names: names(''), log });
    await until('it is noticed', WAIT_MS_MAX, async () => registration.degraded() !== null);
    await registration.close();
    expect(log.lines).toHaveLength(1);
  });

  it.each(['registry:8080', 'kafka://clerk:hush@registry', 'http://clerk:hush%@registry', ''])(
    '%j is no address, and is not repeated',
    (url) => {
      const wrong = () => registerSchemas({ url, names: names(''), log: told() });
      expect(wrong).toThrow(WrongRegistryUrl);
      expect(wrong).not.toThrow(/hush/);
    },
  );
});
