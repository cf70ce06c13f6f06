/**
 * Runs the sessions of the documentation as they are printed. In a page every `sh` block is run, in order, by one
 * bash; the `json` or `text` block that follows it is what it must print. White space does not count; ids, instants,
 * hashes, tokens and cursors stand for any of their kind; `…` stands for anything.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { blocksOf, root } from './markdown.ts';

const PORT_IN_DOCS = 8083;
const START_MS_MAX = 60_000;
const SESSION_MS_MAX = 90_000;
const OUTPUTS = ['json', 'text', 'csv'];

export interface Step {
  command: string;
  /** Null: what it prints is not shown. */
  expected: string | null;
  /** Where the command and the output stand in the page. */
  line: number;
  expectedLine: number;
}

export interface StepResult {
  step: Step;
  output: string;
  exitCode: number;
}

export function stepsOf(markdown: string): Step[] {
  const steps: Step[] = [];
  let last: Step | null = null;
  for (const { language, text, line } of blocksOf(markdown)) {
    if (language === 'sh') {
      last = { command: text, expected: null, line, expectedLine: 0 };
      steps.push(last);
    } else if (last !== null && OUTPUTS.includes(language)) {
      last.expected = text;
      last.expectedLine = line;
      last = null;
    } else {
      last = null;
    }
  }
  return steps;
}

/** Starts the server: it is run by the session itself, not by its bash. */
export function isServerStep({ command }: Step): boolean {
  return /^npm start$/m.test(command);
}

/** Two outputs are the same when this makes the same of them. */
export function masked(output: string): string {
  return output
    .replaceAll(/\beyJ[\w-]+\.[\w-]+\.[\w-]+/g, '<token>')
    .replaceAll(/"nextCursor":\s*"[^"]+"/g, '"nextCursor":"<cursor>"')
    .replaceAll(/^id: .+$/gm, 'id:<cursor>')
    .replaceAll(/\brsv_(\d+)_[0-9a-f]{24}\b/g, 'rsv_$1_<random>')
    .replaceAll(/\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z/g, '<instant>')
    .replaceAll(/\breq-[0-9a-f]{12}-[0-9a-z]+/g, '<request>')
    .replaceAll(/\b[0-9a-f]{64}\b/g, '<hash>')
    .replaceAll(/\s+/g, '');
}

export function isAsPrinted(expected: string, output: string): boolean {
  const parts = masked(expected)
    .split('…')
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^]*?')}$`).test(masked(output));
}

export interface RunningServer {
  port: number;
  /** What it wrote on standard output, from its own first line on. */
  greeting: string;
  environment: NodeJS.ProcessEnv;
  /** The exit code of `npm start` after SIGTERM to its group. */
  stop(): Promise<number | null>;
}

/** `npm start` on a free port with a fresh data folder. */
export async function startServer(): Promise<RunningServer> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-docs-'));
  const environment = {
    ...process.env,
    HOLDFAST_PORT: String(port),
    HOLDFAST_DATA: join(folder, 'data'),
    // vitest's own; the session is a reader's shell.
    NODE_OPTIONS: '',
    NODE_ENV: '',
  };
  const child = spawn('npm', ['start'], {
    cwd: root,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const stop = async () => {
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
    const code = await exited;
    rmSync(folder, { recursive: true, force: true });
    return code;
  };
  try {
    const output = await outputUntil(child, /^ {2}a token .*$/m);
    const greeting = output.slice(output.indexOf('Holdfast listens'));
    return { port, greeting: greeting.replaceAll(String(port), String(PORT_IN_DOCS)), environment, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

function outputUntil(child: ChildProcess, sign: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = '';
    let errors = '';
    const fail = (why: string) => reject(new Error(`the server ${why}:\n${output}\n${errors}`));
    const timer = setTimeout(() => fail(`was not ready within ${START_MS_MAX} ms`), START_MS_MAX);
    child.once('exit', (code) => fail(`ended with ${code}`));
    child.stderr?.on('data', (chunk) => {
      errors += chunk;
    });
    child.stdout?.on('data', (chunk) => {
      output += chunk;
      if (!sign.test(output)) return;
      clearTimeout(timer);
      resolve(output);
    });
  });
}

/** Runs the steps of one or several pages against a running server; the step that starts one gets its greeting. */
export async function runSteps(server: RunningServer, steps: readonly Step[]): Promise<StepResult[]> {
  const mark = '@@step-ends@@';
  const script = steps
    .map((step) => `${isServerStep(step) ? ':' : step.command}\nprintf '\\n${mark} %s\\n' "$?"\n`)
    .join('\n')
    .replaceAll(String(PORT_IN_DOCS), String(server.port));
  const output = await runBash(script, server.environment);
  const pieces = output.split(new RegExp(`\\n${mark} (\\d+)\\n`));
  return steps.map((step, index) => {
    const printed = (pieces[2 * index] ?? '').replaceAll(String(server.port), String(PORT_IN_DOCS));
    return {
      step,
      output: isServerStep(step) ? server.greeting : printed.replace(/^\n+/, ''),
      exitCode: Number(pieces[2 * index + 1] ?? Number.NaN),
    };
  });
}

function runBash(script: string, environment: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    const bash = spawn('bash', ['-s'], {
      cwd: root,
      env: environment,
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: SESSION_MS_MAX,
    });
    let output = '';
    let errors = '';
    bash.stdout.on('data', (chunk) => {
      output += chunk;
    });
    bash.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    bash.once('error', reject);
    bash.once('close', (code, signal) => {
      if (signal === null) resolve(output);
      else reject(new Error(`bash ended by ${signal} (${code}):\n${output}\n${errors}`));
    });
    bash.stdin.end(script);
  });
}

/** What a reader would see that the page does not say; empty: it is as printed. */
export function differences(path: string, results: readonly StepResult[]): string[] {
  return results.flatMap(({ step, output, exitCode }) => {
    if (step.expected === null) {
      return exitCode === 0 ? [] : [`${path}:${step.line} ended with ${exitCode}:\n${step.command}${output}`];
    }
    if (isAsPrinted(step.expected, output)) return [];
    return [`${path}:${step.expectedLine} prints\n${step.expected}\nbut it was\n${output}`];
  });
}
