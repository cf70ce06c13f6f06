/** An embedded installation as production runs it, without HTTP before it. */
import { mkdirSync } from 'node:fs';
import pino from 'pino';
import type { RunningApplication } from '../../server/src/application.ts';
import { openApplication } from '../../server/src/compose.ts';
import type { CommandExecutor, Execution } from '../../server/src/recording/command-executor.ts';
import type { Command, Item } from '../../server/src/stock/commands.ts';
import type { CommandRequest, StockEngine } from '../../server/src/stock/stock-engine.ts';
import { BATCH_METRIC, type Commits, commitsOf } from './commits.ts';
import { HQ, hqId, productId, type Stock, storeId } from './stock.ts';

const LINES_PER_RECEIPT = 500;
const RECEIPTS_IN_FLIGHT = 8;
const UNSET = { safetyStock: null, lowThreshold: null };

/** Every HTTP request comes with these; their length is part of an entry's. */
export const PROVENANCE = {
  actor: { subject: 'till-0001', role: 'pos', address: '10.0.0.1' },
  origin: 'http',
  correlationId: '0b2f7c1e-5d0a-4a53-9f43-6f0c8a8a7a11',
  causationId: null,
};

export interface Installation {
  executor: CommandExecutor;
  engine: StockEngine;
  /** Entries recorded and not yet projected. */
  projectionLag(): Promise<number>;
  /** Since the start. */
  commits(): Promise<Commits>;
  stop(): Promise<void>;
}

/** The whole application of a data folder, which ends its process when it cannot go on. */
export function openRunning(folder: string): Promise<RunningApplication> {
  mkdirSync(folder, { recursive: true });
  const log = pino({ level: 'warn' }, pino.destination({ fd: 2, sync: true }));
  const onFatal = (reason: string) => {
    console.error(reason);
    process.exit(1);
  };
  return openApplication({ dataFolder: folder, log, onFatal, earlyEventWaitMs: 0 });
}

export function installationOf({ executor, engine, telemetry, stop }: RunningApplication): Installation {
  const lag = telemetry.registry.getSingleMetric('holdfast_projection_lag_entries');
  return {
    executor,
    engine,
    stop,
    projectionLag: async () => (await lag?.get())?.values[0]?.value ?? Number.NaN,
    commits: async () => commitsOf(await telemetry.registry.getSingleMetricAsString(BATCH_METRIC)),
  };
}

export async function openInstallation(folder: string): Promise<Installation> {
  return installationOf(await openRunning(folder));
}

export function requestOf(command: Command, operationId: string | null, hq = HQ): CommandRequest {
  return {
    ...PROVENANCE,
    hqId: hq,
    operationId,
    fingerprint: operationId === null ? null : operationId.slice(0, 22),
    command,
  };
}

export function execute(
  { executor }: Pick<Installation, 'executor'>,
  command: Command,
  operationId: string | null,
  hq = HQ,
): Promise<Execution> {
  return executor.execute(requestOf(command, operationId, hq));
}

/** Makes stores and products known and receives the stock, several receipts under way at a time. */
export async function stockUp(installation: Installation, stock: Stock): Promise<void> {
  for (let index = 0; index < (stock.hqs ?? 1); index += 1) await stockUpHq(installation, stock, hqId(index));
}

async function stockUpHq(installation: Installation, stock: Stock, hq: string): Promise<void> {
  await inParallel(stock.stores, (index) =>
    execute(installation, { type: 'configure-store', storeId: storeId(index), settings: UNSET }, null, hq),
  );
  await inParallel(stock.products, (index) =>
    execute(installation, { type: 'configure-product', productId: productId(index), settings: UNSET }, null, hq),
  );
  const levels = stock.stores * stock.products;
  await inParallel(Math.ceil(levels / LINES_PER_RECEIPT), (index) => {
    const first = index * LINES_PER_RECEIPT;
    const items = Array.from({ length: Math.min(LINES_PER_RECEIPT, levels - first) }, (_, offset): Item => {
      const level = first + offset;
      return {
        storeId: storeId(level % stock.stores),
        productId: productId(Math.floor(level / stock.stores)),
        quantity: stock.quantity,
      };
    });
    return execute(installation, { type: 'receive', items }, `stock-up-${index}-${levels}`, hq);
  });
}

async function inParallel(count: number, run: (index: number) => Promise<Execution>): Promise<void> {
  let next = 0;
  const caller = async () => {
    while (next < count) {
      const index = next;
      next += 1;
      const { status } = await run(index);
      if (status !== 'recorded') throw new Error(`stocking up was answered with ${status}`);
    }
  };
  await Promise.all(Array.from({ length: RECEIPTS_IN_FLIGHT }, caller));
}
