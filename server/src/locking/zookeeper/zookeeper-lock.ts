import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Lease, type LeaseRequest, type Lock, type LockHolder, LockUnavailable } from '../lock.ts';
import { type ZookeeperServers, ZookeeperSession } from './zookeeper-session.ts';

const ROOT = '/holdfast/locks';
const REMOVE_RETRY_MS = 500;
/**
 * The part of a session's time-out for which a lease counts after a proof of life. The rest covers that a follower
 * tells its leader of its clients only once per tick, and clocks that differ.
 */
const VALID_SHARE = 2 / 3;

interface Place {
  session: ZookeeperSession;
  path: string;
}

/**
 * Locks in ZooKeeper: whoever comes stands in line, an ephemeral node with a number, and watches only the one in front.
 * A lease ends with the session of its process, whatever `ttlMs` says; all leases of a process are of one session.
 * Method: https://zookeeper.apache.org/doc/r3.8.0/recipes.html#sc_recipes_Locks, with the guard of Curator against
 * answers that are lost: the name holds an id that tells our node when the number is not known.
 */
export class ZookeeperLock implements Lock {
  readonly queues = true;
  readonly #servers: ZookeeperServers;
  readonly #places = new Map<string, Place>();
  #opened: Promise<ZookeeperSession> | null = null;
  #closed = false;

  constructor(servers: ZookeeperServers) {
    this.#servers = servers;
  }

  async take({ key, value, waitMs }: LeaseRequest): Promise<Lease | null> {
    const session = await this.#session();
    const id = randomUUID();
    const deadlineMs = performance.now() + waitMs;
    try {
      const path = await lineUp(session, key, id, value);
      const askedAtMs = await myTurn(session, path, deadlineMs);
      const node = askedAtMs === null ? null : await session.node(path);
      if (askedAtMs !== null && node !== null) {
        this.#places.set(placeOf({ key, value }), { session, path });
        return { key, value, fencingToken: node.createdZxid, validUntilMs: sessionValidUntil(session, askedAtMs) };
      }
    } catch (error) {
      this.#leave(session, key, id);
      throw error;
    }
    this.#leave(session, key, id);
    return null;
  }

  async extend(lease: Lease): Promise<Lease | null> {
    const place = this.#places.get(placeOf(lease));
    if (place === undefined || place.session.over) return null;
    const askedAtMs = performance.now();
    if ((await place.session.node(place.path)) === null) return null;
    return { ...lease, validUntilMs: sessionValidUntil(place.session, askedAtMs) };
  }

  async release(lease: Lease): Promise<boolean> {
    const place = this.#places.get(placeOf(lease));
    if (place === undefined) return false;
    const { session, path } = place;
    this.#places.delete(placeOf(lease));
    if (session.over) return false;
    try {
      return await session.remove(path);
    } catch (error) {
      // A session that lives on would keep it for ever.
      this.#leave(session, lease.key, idOf(path));
      throw error;
    }
  }

  async holders(): Promise<LockHolder[]> {
    const session = await this.#session();
    const keys = (await session.children(ROOT)) ?? [];
    const holders = await Promise.all(keys.sort().map((key) => holderOf(session, key)));
    return holders.filter((holder) => holder !== null);
  }

  /** Ends the session, and with it every lease. */
  async close(): Promise<void> {
    this.#closed = true;
    const session = await this.#opened?.catch(() => null);
    session?.close();
  }

  async #session(): Promise<ZookeeperSession> {
    if (this.#closed) throw new LockUnavailable('The locks were closed.');
    const opened = this.#opened;
    const session = await opened;
    if (session && !session.over) return session;
    // Another caller may have opened the next one meanwhile.
    if (this.#opened !== opened) return this.#session();
    this.#places.clear();
    const opening = ZookeeperSession.open(this.#servers);
    this.#opened = opening;
    opening.catch(() => {
      if (this.#opened === opening) this.#opened = null;
    });
    return opening;
  }

  /** Takes a node away whose number may not be known, as long as its session could keep it. */
  #leave(session: ZookeeperSession, key: string, id: string): void {
    void (async () => {
      while (!session.over) {
        try {
          const names = (await session.children(parentOf(key))) ?? [];
          const mine = names.filter((name) => idOf(name) === id);
          await Promise.all(mine.map((name) => session.remove(`${parentOf(key)}/${name}`)));
          return;
        } catch {
          await delay(REMOVE_RETRY_MS, undefined, { ref: false });
        }
      }
    })();
  }
}

const parentOf = (key: string) => `${ROOT}/${key}`;
const placeOf = ({ key, value }: Pick<Lease, 'key' | 'value'>) => `${key} ${value}`;
/** Nodes are named `<id>-<ten digits>`. */
const numberOf = (name: string) => Number(name.slice(-10));
const idOf = (name: string) => name.slice(name.lastIndexOf('/') + 1, -11);

function sessionValidUntil(session: ZookeeperSession, askedAtMs: number): number {
  return askedAtMs + session.timeoutMs * VALID_SHARE;
}

async function lineUp(session: ZookeeperSession, key: string, id: string, value: string): Promise<string> {
  const create = () => session.createInLine(`${parentOf(key)}/${id}-`, value);
  const created = await create();
  if (created !== null) return created;
  await session.makeParents(parentOf(key));
  const path = await create();
  if (path === null) throw new LockUnavailable(`${parentOf(key)} is being removed by somebody: locks keep their nodes`);
  return path;
}

/** When it was asked for the line whose first it is; null when the time is over before that. */
async function myTurn(session: ZookeeperSession, path: string, deadlineMs: number): Promise<number | null> {
  const parent = path.slice(0, path.lastIndexOf('/'));
  const name = path.slice(parent.length + 1);
  for (;;) {
    const askedAtMs = performance.now();
    const line = inLine((await session.children(parent)) ?? []);
    const index = line.indexOf(name);
    if (index < 0) throw new LockUnavailable('The ZooKeeper session ended while it waited for a lock.');
    if (index === 0) return askedAtMs;
    const leftMs = deadlineMs - performance.now();
    if (leftMs <= 0) return null;
    const waited = new AbortController();
    const timeUp = delay(leftMs, undefined, { signal: waited.signal }).catch(() => undefined);
    await Promise.race([session.gone(`${parent}/${line[index - 1]}`), timeUp]).finally(() => waited.abort());
  }
}

function inLine(names: readonly string[]): string[] {
  return names.toSorted((a, b) => numberOf(a) - numberOf(b));
}

async function holderOf(session: ZookeeperSession, key: string): Promise<LockHolder | null> {
  const [first] = inLine((await session.children(parentOf(key))) ?? []);
  const node = first === undefined ? null : await session.node(`${parentOf(key)}/${first}`);
  if (node === null) return null;
  return { key, value: node.data, remainingMs: null };
}
