import type { Logger } from 'pino';
import { Inbox, type InboxStore } from './ordering/inbox.ts';
import type { Telemetry } from './telemetry/telemetry.ts';

/** The way in for events over HTTP, with its figures and its log: the same in both modes. */
export function composeInbox(store: InboxStore, { telemetry, log }: { telemetry: Telemetry; log: Logger }): Inbox {
  return new Inbox({
    store,
    failures: telemetry.inboxFailures,
    onFailed: (error) =>
      log.error({ err: error }, 'events that are handed in cannot be stored; their senders are told to repeat them'),
  });
}
