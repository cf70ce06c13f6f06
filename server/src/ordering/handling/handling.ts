import type { OrderMessage } from '../messages/message.ts';

/** What became of an event. All but `retry` and `early` are final, and what they rest on is in the ledger. */
export type Handling =
  /** It has its effect, or had it before, or was answered with a refusal (an event). */
  | { status: 'done'; replayed: boolean }
  /** What it speaks of is not known yet: worth trying again for a while. */
  | { status: 'early' }
  /** It cannot be done as it is; somebody has to look at it. Later messages of its key wait behind it. */
  | { status: 'park'; code: ParkCode; reason: string }
  /**
   * A part of this installation did not answer; nothing is known to have been done. `away`: it said itself that it
   * cannot now (a partition that is being filled, too much at once), which is no failure of the message: it is tried
   * for as long as that lasts. What is not away and fails again and again is parked.
   */
  | { status: 'retry'; reason: string; away?: boolean };

export type ParkCode =
  | 'UNKNOWN_RESERVATION'
  | 'UNKNOWN_STORE'
  | 'UNKNOWN_PRODUCT'
  /** The same order came before with other lines. */
  | 'OTHER_LINES'
  /** A cancellation of what was sold. */
  | 'ORDER_COMPLETED'
  /** It kept failing; the reason names the last failure. */
  | 'KEEPS_FAILING';

export interface OrderHandling {
  /** One try. Never throws. */
  handle(message: OrderMessage): Promise<Handling>;
  /** It stayed `early` for as long as it may: what is answered then is recorded, and it is parked. */
  giveUp(message: OrderMessage): Promise<Handling>;
}
