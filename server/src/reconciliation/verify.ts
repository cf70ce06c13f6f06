/** `holdfast verify`: entries = projections = engine, proven from the first entry on. */
import { setTimeout as delay } from 'node:timers/promises';
import type { VerifyReport } from '../application.ts';
import { PARTITION_COUNT } from '../stock/limits.ts';
import type { StockEngine } from '../stock/stock-engine.ts';
import { EngineProof } from './engine-proof.ts';
import { Findings } from './findings.ts';
import type { KnownHead, LedgerProof } from './ledger-proof.ts';

const WAIT_MS = 50;

export interface VerifyParts {
  /** Opens a proof of the installation's files. */
  openProof: (knownHead: KnownHead | null) => LedgerProof;
  /** Null: there is none at work, the data is at rest. */
  engine: StockEngine | null;
}

export interface VerifyOptions {
  /** `<partition>:<seq>:<hash>`, as an earlier run printed it. */
  head?: string;
  onProgress?: (done: number, total: number) => void;
}

/** The head to compare with cannot be read. */
export class InvalidHead extends Error {
  constructor(text: string) {
    super(`"${text}" is no head; it must be <partition>:<seq>:<hash>, as verify prints it`);
    this.name = 'InvalidHead';
  }
}

/** @throws InvalidHead */
export async function verify({ openProof, engine }: VerifyParts, options: VerifyOptions = {}): Promise<VerifyReport> {
  const knownHead = options.head === undefined ? null : parseHead(options.head);
  const proof = openProof(knownHead);
  try {
    await walk(proof, options.onProgress);
    const findings = new Findings();
    if (engine !== null) await new EngineProof(engine, proof, findings).prove();
    const report = await proof.report();
    const all = [...report.findings, ...findings.list];
    return { ...report, ok: all.length === 0, findings: all };
  } finally {
    await proof.close();
  }
}

async function walk(proof: LedgerProof, onProgress: VerifyOptions['onProgress']): Promise<void> {
  let before = -1;
  for (;;) {
    const { done, total, finished } = await proof.step();
    onProgress?.(done, total);
    if (finished) return;
    // The projector is behind: it gets its turn.
    if (done === before) await delay(WAIT_MS);
    before = done;
  }
}

function parseHead(text: string): KnownHead {
  const match = /^(\d{1,2}):(\d{1,15}):([0-9a-f]{64})$/.exec(text);
  const head = { partition: Number(match?.[1]), seq: Number(match?.[2]), hash: match?.[3] ?? '' };
  if (match === null || head.partition >= PARTITION_COUNT || head.seq < 1) throw new InvalidHead(text);
  return head;
}
