/**
 * Connections to MariaDB or MySQL, each used by one caller at a time. Nothing waits for ever: a use that takes longer
 * than it may has its socket closed under it, and a database that is away is tried anew by the next caller, without a
 * back-off that would outlast the outage. (The connector's own pool waits up to 10 s between attempts, and ends a
 * command that hangs by a KILL over one more connection.)
 */
import { connect, type Socket } from 'node:net';
import { getCACertificates } from 'node:tls';
import { type Connection, type ConnectionConfig, createConnection } from 'mariadb';
import { serverNameOf, type TlsSettings, verificationBy } from '../../tls/tls-settings.ts';
import { LedgerUnavailable } from '../ledger.ts';
import { isConnectionLost, isRefusedLogin, isUnknownDatabase, reasonOf } from './mariadb-errors.ts';

const CONNECT_MS_MAX = 2_000;
/** A use of a connection, waiting for one included. */
const USE_MS_MAX = 4_000;
const LOCK_WAIT_SECONDS_MAX = 3;
/**
 * The server ends a writing connection that says nothing for so long. Only so do the locks of a transaction go whose
 * client has vanished without a word (a network that swallows packets): by itself the server would wait for hours.
 */
const WRITER_SILENCE_SECONDS_MAX = 3;

/** Where the database is, and as whom to use it. */
export interface MariadbAccess {
  host: string;
  port: number;
  database: string;
  user: string;
  password: string;
  /** Without: nothing is encrypted. */
  tls?: TlsSettings;
}

export interface PoolOptions {
  connectionsMax: number;
  /**
   * True: each statement is a transaction of its own. False: nothing is kept that was not committed by a `commit`
   * that was sent, also when the statement that was to begin the transaction has failed.
   */
  autocommit: boolean;
  /** Looks at a new connection before its first use. */
  onConnect?: (connection: Connection) => Promise<void>;
}

interface Member {
  connection: Connection;
  socket: Socket;
  /** Whatever waits for an answer fails with this. */
  cut(reason: Error): void;
}

interface Waiter {
  resolve(member: Member): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

export class MariadbPool {
  readonly access: MariadbAccess;
  readonly #options: PoolOptions;
  readonly #security: (signal: AbortSignal) => ConnectionConfig;
  readonly #idle: Member[] = [];
  readonly #busy = new Set<Member>();
  readonly #waiting = new Set<Waiter>();
  #opening = 0;
  #closed = false;

  constructor(access: MariadbAccess, options: PoolOptions) {
    this.access = access;
    this.#options = options;
    this.#security = securityOf(access);
  }

  /**
   * Gives `work` a connection of its own; after `timeoutMs` it is cut off, and whatever it waits for fails. When
   * `work` throws, the connection is closed, which rolls back what it had begun.
   * @throws LedgerUnavailable when the database is away or too slow, and what `work` throws
   */
  async use<T>(work: (connection: Connection) => Promise<T>, timeoutMs = USE_MS_MAX): Promise<T> {
    const until = performance.now() + timeoutMs;
    const member = await this.#acquire(timeoutMs);
    // An error for every use, with its stack, took 0.1 ms: 87 µs instead of 70 for each entry in batches of eight.
    const cut = () => member.cut(new LedgerUnavailable(`no answer within ${timeoutMs} ms`));
    const timer = setTimeout(cut, Math.max(0, until - performance.now()));
    let sound = false;
    try {
      const result = await work(member.connection);
      sound = true;
      return result;
    } catch (error) {
      if (!isConnectionLost(error)) throw error;
      this.#dropIdle();
      throw new LedgerUnavailable(`the connection to the database ${this.#place} was lost: ${reasonOf(error)}`, error);
    } finally {
      clearTimeout(timer);
      this.#release(member, sound);
    }
  }

  /** One statement that changes nothing, as `look`. */
  read<T>(sql: string, values: readonly unknown[] = [], timeoutMs = USE_MS_MAX): Promise<T[]> {
    return this.look((connection) => connection.query<T[]>(sql, values), timeoutMs);
  }

  /** As `use`, for work that changes nothing: done once more when the connection turns out to be dead. */
  async look<T>(work: (connection: Connection) => Promise<T>, timeoutMs = USE_MS_MAX): Promise<T> {
    try {
      return await this.use(work, timeoutMs);
    } catch (error) {
      if (!(error instanceof LedgerUnavailable) || this.#closed) throw error;
      return await this.use(work, timeoutMs);
    }
  }

  get #place(): string {
    return `${this.access.host}:${this.access.port}`;
  }

  get #count(): number {
    return this.#idle.length + this.#busy.size + this.#opening;
  }

  async #acquire(timeoutMs: number): Promise<Member> {
    if (this.#closed) throw new LedgerUnavailable('the connections to the database are closed');
    const idle = this.#idle.pop();
    if (idle !== undefined) {
      this.#busy.add(idle);
      return idle;
    }
    return this.#count < this.#options.connectionsMax ? this.#open() : this.#wait(timeoutMs);
  }

  #wait(timeoutMs: number): Promise<Member> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { resolve, reject, timer: setTimeout(() => this.#giveUp(waiter, timeoutMs), timeoutMs) };
      this.#waiting.add(waiter);
    });
  }

  #giveUp(waiter: Waiter, timeoutMs: number): void {
    this.#waiting.delete(waiter);
    waiter.reject(
      new LedgerUnavailable(`no connection to the database ${this.#place} was free within ${timeoutMs} ms`),
    );
  }

  #takeWaiter(): Waiter | undefined {
    const [waiter] = this.#waiting;
    if (waiter === undefined) return undefined;
    this.#waiting.delete(waiter);
    clearTimeout(waiter.timer);
    return waiter;
  }

  /** A place is free: who waits longest gets a new connection, or hears why there is none. */
  #openForWaiter(): void {
    const waiter = this.#takeWaiter();
    if (waiter !== undefined) this.#open().then(waiter.resolve, waiter.reject);
  }

  async #open(): Promise<Member> {
    this.#opening += 1;
    let socket: Socket | undefined;
    const cutting = new AbortController();
    try {
      const { host, port, tls } = this.access;
      const config: ConnectionConfig = {
        ...configOf(this.access, this.#options.autocommit),
        ...this.#security(cutting.signal),
        stream: (callback) => {
          socket = connect({ host, port, noDelay: true, keepAlive: true });
          callback(undefined, socket);
        },
      };
      const connection = await createConnection(config);
      const member = memberOf(connection, socket as Socket, tls === undefined ? null : cutting);
      connection.on('error', () => this.#forget(member));
      connection.on('end', () => this.#forget(member));
      await this.#greet(member);
      if (this.#closed) throw new LedgerUnavailable('the connections to the database are closed');
      this.#busy.add(member);
      return member;
    } catch (error) {
      socket?.destroy();
      setImmediate(() => this.#openForWaiter());
      if (!isConnectionLost(error) || isRefusedLogin(error) || isUnknownDatabase(error)) throw error;
      throw new LedgerUnavailable(`the database ${this.#place} cannot be reached: ${reasonOf(error)}`, error);
    } finally {
      this.#opening -= 1;
    }
  }

  async #greet(member: Member): Promise<void> {
    const timer = setTimeout(
      () => member.cut(new LedgerUnavailable('no answer to the first statement')),
      CONNECT_MS_MAX,
    );
    try {
      await this.#options.onConnect?.(member.connection);
    } finally {
      clearTimeout(timer);
    }
  }

  #release(member: Member, succeeded: boolean): void {
    const sound = this.#busy.delete(member) && succeeded && !this.#closed && member.connection.isValid();
    if (!sound) member.socket.destroy();
    if (!sound) {
      this.#openForWaiter();
      return;
    }
    const waiter = this.#takeWaiter();
    if (waiter === undefined) {
      this.#idle.push(member);
      return;
    }
    this.#busy.add(member);
    waiter.resolve(member);
  }

  #forget(member: Member): void {
    this.#busy.delete(member);
    const index = this.#idle.indexOf(member);
    if (index >= 0) this.#idle.splice(index, 1);
    member.socket.destroy();
  }

  /** What one connection has lived through the idle ones have too, and they would tell only when they are used. */
  #dropIdle(): void {
    for (const member of this.#idle.splice(0)) member.socket.destroy();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (let waiter = this.#takeWaiter(); waiter !== undefined; waiter = this.#takeWaiter()) {
      waiter.reject(new LedgerUnavailable('the connections to the database are closed'));
    }
    await Promise.all(this.#idle.splice(0).map(({ connection }) => connection.end().catch(() => undefined)));
    this.#dropIdle();
    for (const member of this.#busy) member.socket.destroy();
  }
}

/**
 * The session that every statement of Holdfast's counts on, whatever the server's own defaults are: `read committed`
 * (each statement sees what is committed, and an insert locks no gaps), errors instead of silently changed values.
 */
function configOf({ user, password, database }: MariadbAccess, autocommit: boolean): ConnectionConfig {
  return {
    user,
    password,
    database,
    connectTimeout: CONNECT_MS_MAX,
    bigIntAsNumber: true,
    insertIdAsNumber: true,
    checkNumberRange: true,
    decimalAsNumber: true,
    // `affectedRows` counts rows that a condition found, also where the update has left them as they were.
    foundRows: true,
    pipelining: true,
    initSql: [
      ...(autocommit
        ? []
        : [`set wait_timeout = ${WRITER_SILENCE_SECONDS_MAX}, net_read_timeout = ${WRITER_SILENCE_SECONDS_MAX}`]),
      'set session transaction isolation level read committed',
      `set autocommit = ${autocommit ? 1 : 0}, unique_checks = 1, foreign_key_checks = 1,
         sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO',
         innodb_lock_wait_timeout = ${LOCK_WAIT_SECONDS_MAX}, lock_wait_timeout = ${LOCK_WAIT_SECONDS_MAX}`,
    ],
  };
}

/**
 * Over TLS a socket lies upon the one that was connected, which only hides that it is gone; and an error of that one
 * would be told to the connection twice, the second time when nobody hears it, which ends the process.
 */
function memberOf(connection: Connection, socket: Socket, overTls: AbortController | null): Member {
  const cut = (reason: Error) => (overTls === null ? socket.destroy(reason) : overTls.abort(reason));
  return { connection, socket, cut };
}

/** To follow a server that names another one: over TLS the connector does so by itself, which its types do not know. */
const NO_REDIRECT = { permitRedirect: false };

/**
 * With no authorities named, the connector would take a certificate that nobody signed from a server that proves that
 * it knows the password (MariaDB 11.4 and later): then neither name nor authority would be verified.
 */
function securityOf({ host, port, tls }: MariadbAccess): (signal: AbortSignal) => ConnectionConfig {
  if (tls === undefined) return () => ({});
  const ssl = { ...verificationBy(tls), ca: tls.ca ?? getCACertificates(), host, ...serverNameOf(host) };
  return (signal) => {
    const untilCut = { ...ssl, signal };
    return { host, port, ssl: untilCut, ...NO_REDIRECT };
  };
}
