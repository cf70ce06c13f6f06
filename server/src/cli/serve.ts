/**
 * `holdfast serve`: in the foreground until it is told to stop. The port is open before the data is, so that health
 * can say "starting"; on the way down it is the other way round, and what was let in is answered first.
 */
import { Server as NetServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay, setImmediate as immediate } from 'node:timers/promises';
import type { Logger } from 'pino';
import { TokenVerifier } from '../access/tokens.ts';
import type { RunningApplication } from '../application.ts';
import { buildHttpServer, type HttpServer } from '../http/server.ts';
import { Service } from '../http/service.ts';
import { type ClusterConfiguration, readClusterConfiguration } from './cluster-configuration.ts';
import { type Configuration, readConfiguration } from './configuration.ts';
import type { Environment } from './environment.ts';
import { CommandFailed, UsageError } from './failures.ts';
import { openLog } from './log.ts';
import { openInstallation } from './open-installation.ts';
import { tokenKey } from './token.ts';

/** Another process may still be letting go of the port. */
const PORT_WAIT_MS = 5_000;
const PORT_RETRY_MS = 200;
/** Readiness says no and connections are told to close, for so long before anyone is turned away. */
const LAME_DUCK_MS = 250;
/** Everyone is answered 503 for so long before the door is shut: who heeds it is elsewhere by then. */
const TURNING_AWAY_MS = 500;
/** The door is shut, and who came in has so long to ask: a connection that was just made looks idle. */
const ARRIVING_MS = 250;
/** Turns of the loop that let in the last ones, where the stream of them does not end. */
const LAST_TURNS_MAX = 1_000;
const DRAIN_MS_MAX = 10_000;
const IDLE_CHECK_MS = 25;

export interface ServeOptions {
  roles?: string;
}

export async function serve(environment: Environment, { roles }: ServeOptions): Promise<void> {
  const configuration = readConfiguration(environment);
  if (configuration.mode === 'embedded' && roles !== undefined)
    throw new UsageError('--roles is for HOLDFAST_MODE=cluster: an embedded server is one process that does it all');
  const cluster = configuration.mode === 'cluster' ? readClusterConfiguration(environment, roles) : null;
  await new ServerProcess({ configuration, cluster, environment, log: openLog(configuration.logLevel) }).start();
}

interface ServerProcessParts {
  configuration: Configuration;
  /** Null when it is embedded. */
  cluster: ClusterConfiguration | null;
  environment: Environment;
  log: Logger;
}

class ServerProcess {
  readonly #configuration: Configuration;
  readonly #cluster: ClusterConfiguration | null;
  readonly #environment: Environment;
  readonly #log: Logger;
  readonly #service: Service;
  #application: RunningApplication | null = null;
  #server: HttpServer | null = null;
  #stopping: Promise<void> | null = null;

  constructor({ configuration, cluster, environment, log }: ServerProcessParts) {
    this.#configuration = configuration;
    this.#cluster = cluster;
    this.#environment = environment;
    this.#log = log;
    this.#service = new Service({ servesApi: cluster === null || cluster.roles.has('api') });
  }

  async start(): Promise<void> {
    this.#stopOnSignals();
    const { dataFolder, accessLog, rateLimit } = this.#configuration;
    const verifier = new TokenVerifier(tokenKey(this.#environment), Date.now);
    this.#server = await buildHttpServer({
      service: this.#service,
      verifier,
      log: this.#log,
      accessLog,
      rateLimit,
      spoolFolder: join(dataFolder, 'imports'),
    });
    const url = await listen(this.#server, this.#configuration);
    try {
      this.#application = await openInstallation(this.#environment, {
        configuration: this.#configuration,
        cluster: this.#cluster,
        log: this.#log,
        onFatal: (reason) => this.#end(`recording has ended: ${reason}`),
      });
    } catch (error) {
      this.#server.server.closeAllConnections();
      await this.#server.close();
      throw error;
    }
    this.#application.announce({ url, pid: process.pid });
    this.#service.open(this.#application);
    process.stdout.write(welcome(url));
  }

  #stopOnSignals(): void {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => this.#stop(signal));
    // A launcher that died takes its server along; that is no second signal.
    if (process.channel) process.on('disconnect', () => this.#stopping ?? this.#stop('SIGTERM'));
  }

  /** The first signal drains; a second one ends at once, and what was decided is recorded at the next start. */
  #stop(signal: NodeJS.Signals): void {
    if (this.#stopping !== null) process.exit(signal === 'SIGINT' ? 130 : 143);
    this.#log.info({ signal }, 'stopping');
    this.#stopping = this.#drain().then(
      () => process.exit(0),
      (error: unknown) => {
        this.#log.error({ err: error }, 'could not stop as it should');
        process.exit(1);
      },
    );
  }

  async #drain(): Promise<void> {
    this.#service.draining = true;
    const server = this.#server;
    if (server?.server.listening) {
      await delay(LAME_DUCK_MS);
      this.#service.turningAway = true;
      await delay(TURNING_AWAY_MS);
      await shutDoor(server);
      await delay(ARRIVING_MS);
      const force = setTimeout(() => server.server.closeAllConnections(), DRAIN_MS_MAX);
      // A connection whose last answer was under way when the door was shut becomes idle later.
      const idle = setInterval(() => server.server.closeIdleConnections(), IDLE_CHECK_MS);
      await server.close();
      clearInterval(idle);
      clearTimeout(force);
    }
    await this.#application?.stop();
    this.#log.info('stopped');
  }

  /** The disk cannot be believed any more: nothing is saved on the way out. */
  #end(reason: string): void {
    process.stderr.write(`holdfast: ${reason}\n`);
    process.exit(1);
  }
}

/** @throws CommandFailed when the port stays taken. */
async function listen(server: HttpServer, { host, port }: Configuration): Promise<string> {
  const giveUpAt = Date.now() + PORT_WAIT_MS;
  for (;;) {
    try {
      return await server.listen({ host, port });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'EADDRINUSE' && Date.now() < giveUpAt) await delay(PORT_RETRY_MS);
      else if (code === 'EADDRINUSE') throw new CommandFailed(portTaken(port));
      else throw new CommandFailed(`It cannot listen on ${host}:${port}: ${message}`);
    }
  }
}

/**
 * Takes no more connections. The kernel resets those that still wait before a door that is shut, and a turn of the
 * loop lets in one or a few: so it is shut after a turn that let in nobody.
 * An HTTP server's own `close` would end idle connections as well, at once.
 */
async function shutDoor({ server }: HttpServer): Promise<void> {
  let letIn = 0;
  server.on('connection', () => {
    letIn += 1;
  });
  for (let before = -1, turns = 0; before !== letIn && turns < LAST_TURNS_MAX; turns += 1) {
    before = letIn;
    await immediate();
  }
  NetServer.prototype.close.call(server);
}

function portTaken(port: number): string {
  return `The port ${port} is taken by another program. Stop that one, or name another port with HOLDFAST_PORT.`;
}

function welcome(url: string): string {
  return [
    `Holdfast listens on ${url}`,
    `  API page   ${url}/docs`,
    '  a token    npm run --silent holdfast -- token --role admin',
    '',
  ].join('\n');
}
