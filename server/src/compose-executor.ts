import type { Logger } from 'pino';
import type { HistoryReads } from './projections/history-reads.ts';
import { CommandExecutor, type ExecutorParts } from './recording/command-executor.ts';
import type { Telemetry } from './telemetry/telemetry.ts';

type Ports = Pick<ExecutorParts, 'engine' | 'ledger' | 'acknowledgements'>;

/** The way in for every command, with its figures and its log: the same in both modes. */
export function composeExecutor(
  ports: Ports,
  { history, telemetry, log }: { history: HistoryReads; telemetry: Telemetry; log: Logger },
): CommandExecutor {
  return new CommandExecutor({
    ...ports,
    findProjectedHold: async (hqId, reservationId) => {
      const found = await history.reservation(reservationId);
      return found?.hqId === hqId ? found.hold : null;
    },
    onAnswered: (decisionMs, answerMs) => {
      telemetry.decisionSeconds.observe(decisionMs / 1_000);
      telemetry.answerSeconds.observe(answerMs / 1_000);
    },
    onReadFailed: (error) => log.error({ err: error }, 'a caller was refused: a read failed'),
  });
}
