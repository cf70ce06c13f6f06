/** Real servers for the lock suites, on free loopback ports, with their data in a folder that goes with them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const FOLDER = join(import.meta.dirname, '../../../.infra/locking');
const READY_MS_MAX = 30_000;
const JARS = ['zookeeper', 'zookeeper-jute', 'slf4j-api', 'slf4j-nop', 'metrics-core', 'snappy-java', 'netty-all'];

export class TestServer {
  readonly port: number;
  readonly #folder: string;
  readonly #command: readonly string[];
  readonly #question: string;
  readonly #answer: string;
  #process: ChildProcess | null = null;

  constructor(parts: { port: number; folder: string; command: readonly string[]; question: string; answer: string }) {
    this.port = parts.port;
    this.#folder = parts.folder;
    this.#command = parts.command;
    this.#question = parts.question;
    this.#answer = parts.answer;
  }

  async start(): Promise<this> {
    const [program = '', ...args] = this.#command;
    const output: Buffer[] = [];
    const started = spawn(program, args, { cwd: this.#folder, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [started.stdout, started.stderr]) stream.on('data', (chunk: Buffer) => output.push(chunk));
    this.#process = started;
    for (const giveUpAt = Date.now() + READY_MS_MAX; !(await this.#answers()); await delay(50)) {
      if (Date.now() < giveUpAt && started.exitCode === null) continue;
      throw new Error(`${program} on ${this.port} does not start: ${Buffer.concat(output).toString()}`);
    }
    return this;
  }

  signal(name: NodeJS.Signals): void {
    this.#process?.kill(name);
  }

  async kill(): Promise<void> {
    const running = this.#process;
    this.#process = null;
    if (running === null || running.exitCode !== null) return;
    const exit = once(running, 'exit');
    running.kill('SIGKILL');
    await exit;
  }

  /** Ends it, and with it all that it knows. */
  async wipe(): Promise<void> {
    await this.kill();
    for (const name of readdirSync(this.#folder)) {
      if (!name.endsWith('.cfg')) rmSync(join(this.#folder, name), { recursive: true });
    }
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }

  #answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, '127.0.0.1', () => socket.write(this.#question));
      socket.setTimeout(1_000, () => socket.destroy());
      socket.on('data', (data) => {
        resolve(data.toString().includes(this.#answer));
        socket.destroy();
      });
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(false));
    });
  }
}

export async function redisServer(...options: string[]): Promise<TestServer> {
  const { port, folder } = await place('redis');
  const own = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  const command = ['redis-server', ...own, ...options];
  return new TestServer({ port, folder, command, question: 'PING\r\n', answer: 'PONG' }).start();
}

export async function zookeeperServer(): Promise<TestServer> {
  const { port, folder } = await place('zookeeper');
  const settings = {
    tickTime: 500,
    dataDir: folder,
    clientPort: port,
    clientPortAddress: '127.0.0.1',
    maxClientCnxns: 0,
    'admin.enableServer': false,
    '4lw.commands.whitelist': 'ruok',
  };
  const file = join(folder, 'zoo.cfg');
  writeFileSync(
    file,
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  const classPath = JARS.map((jar) => `/usr/share/java/${jar}.jar`).filter((jar) => existsSync(jar));
  const command = [
    'java',
    '-Xmx128m',
    '-cp',
    classPath.join(':'),
    'org.apache.zookeeper.server.ZooKeeperServerMain',
    file,
  ];
  return new TestServer({ port, folder, command, question: 'ruok', answer: 'imok' }).start();
}

async function place(name: string): Promise<{ port: number; folder: string }> {
  mkdirSync(FOLDER, { recursive: true });
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as { port: number };
  await new Promise((resolve) => listener.close(resolve));
  return { port, folder: mkdtempSync(join(FOLDER, `${name}-`)) };
}
