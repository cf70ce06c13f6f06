import { setTimeout as realDelay } from 'node:timers/promises';
import { undoIdOf } from '../ledger/ledger.ts';
import type { Undo } from '../stock/commands.ts';
import type { Entry } from '../stock/entry.ts';
import type { CommandExecutor } from './command-executor.ts';

const RETRY_MS = 500;

/**
 * Takes back what was decided a second time under one operation id. Until that is recorded there is too little to
 * sell, never too much, so it is repeated for as long as it takes.
 */
export async function undoOf(
  entry: Entry,
  executor: CommandExecutor,
  delay: (ms: number) => Promise<void> = realDelay,
): Promise<void> {
  const command = inverseOf(entry);
  if (command === null) return;
  const operationId = undoIdOf(entry.partition, entry.seq);
  for (;;) {
    const execution = await executor.execute({
      hqId: entry.hqId,
      operationId,
      fingerprint: operationId,
      command,
      actor: { subject: 'holdfast', role: 'system' },
      origin: 'undo',
      correlationId: entry.correlationId,
      causationId: entry.causationId,
    });
    if (execution.status === 'recorded') return;
    await delay(RETRY_MS);
  }
}

/** Only a reserve and an issue that a caller named are decided without asking the ledger first; a refused one had no effect. */
function inverseOf({ command, lines, seq }: Entry): Undo | null {
  if (lines.length === 0) return null;
  if (command.type === 'reserve') return { type: 'undo', seq, reservationId: command.reservationId };
  if (command.type === 'issue') return { type: 'undo', seq, items: command.items };
  throw new Error(`entry ${seq} (${command.type}) was decided twice and cannot be taken back`);
}
