/**
 * What other teams' services say of an order, as commands. The operation ids name the order and not the message, so
 * that whatever is repeated, in any order and by several members at once, has one effect; of two events that exclude
 * each other one takes the other's id, so that there is no moment between them (`docs/internals/ordering.md`).
 */
import { CatalogUnavailable } from '../../catalog/catalog.ts';
import { type MasterData, NotConfigured } from '../../catalog/master-data.ts';
import { LedgerUnavailable } from '../../ledger/ledger.ts';
import { HistoryBehind, type HistoryReads } from '../../projections/history-reads.ts';
import type { CommandExecutor, Execution } from '../../recording/command-executor.ts';
import type { AnswerOrder, Command, Item } from '../../stock/commands.ts';
import type { Entry, Hold, Provenance } from '../../stock/entry.ts';
import { reservationIdOfOrder } from '../../stock/identifiers.ts';
import type { Outcome } from '../../stock/outcome.ts';
import { marked, toldReason } from '../messages/foreign-text.ts';
import type { OrderMessage } from '../messages/message.ts';
import type { Handling, OrderHandling, ParkCode } from './handling.ts';
import {
  type Body,
  CANCELLATION,
  fingerprintOf,
  isSoldAs,
  linesWithin,
  locatedLines,
  operationIdOf,
} from './order-operations.ts';

export interface OrderHandlerParts {
  executor: Pick<CommandExecutor, 'execute'>;
  masterData: Pick<MasterData, 'addProduct'>;
  history: Pick<HistoryReads, 'reservation' | 'reservationOfOrder'>;
  /** Epoch milliseconds. */
  now: () => number;
}

type Answer<Kind extends Execution['status']> = Extract<Execution, { status: Kind }>;
type Recorded = Answer<'recorded'>;
type Mismatch = Answer<'mismatch'>;

export class OrderHandler implements OrderHandling {
  readonly #parts: OrderHandlerParts;

  constructor(parts: OrderHandlerParts) {
    this.#parts = parts;
  }

  handle(message: OrderMessage): Promise<Handling> {
    return toldOf(message, () => this.#handle(message));
  }

  /** What it waited for may have come since its last try. */
  async giveUp(message: OrderMessage): Promise<Handling> {
    const last = await this.handle(message);
    const { body } = message;
    if (last.status !== 'early' || body.kind !== 'completed') return last;
    return toldOf(message, () => this.#answerUnknown(message, body));
  }

  #handle(message: OrderMessage): Promise<Handling> {
    const { body } = message;
    switch (body.kind) {
      case 'placed':
        return this.#place(message, body);
      case 'completed':
        return this.#complete(message, body);
      case 'cancelled':
        return this.#cancel(message, body);
      case 'sku-created':
        return this.#createSku(message, body);
    }
  }

  async #place(message: OrderMessage, body: Body<'placed'>): Promise<Handling> {
    const { hqId, orderId, storeId, ttlMs, items } = body;
    const execution = await this.#execute(message, operationIdOf.placed(orderId), fingerprintOf(body), {
      type: 'reserve',
      reservationId: reservationIdOfOrder(hqId, orderId),
      storeId,
      transactionId: orderId,
      orderId,
      ttlMs,
      items,
    });
    if (execution.status === 'recorded') return done(execution.replayed);
    if (execution.status === 'mismatch') {
      if (cancellationOf(execution.entry) === null) return otherLines(execution.entry, orderId);
      const answer = { event: 'placed', orderId, storeId, items, reason: 'CANCELLED' } as const;
      return this.#answer(message, operationIdOf.placedAfterCancellation(orderId), answer);
    }
    return execution.status === 'observed' ? parkUnknown(execution.outcome, hqId) : retryLater(execution);
  }

  async #complete(message: OrderMessage, body: Body<'completed'>): Promise<Handling> {
    const { hqId, orderId, reservationId } = body;
    const asked = await this.#confirm(message, body, reservationId ?? reservationIdOfOrder(hqId, orderId));
    if (asked !== null) return asked;
    const sold = reservationId === null ? await this.#parts.history.reservationOfOrder(hqId, orderId) : null;
    const found = sold === null ? null : await this.#confirm(message, body, sold.reservationId);
    return found ?? { status: 'early' };
  }

  /** Null: there is no such reservation. */
  async #confirm(message: OrderMessage, body: Body<'completed'>, reservationId: string): Promise<Handling | null> {
    const { orderId } = body;
    const items = await this.#itemsOf(body, reservationId);
    if (items === null) return null;
    const execution = await this.#execute(message, operationIdOf.completed(orderId), fingerprintOf(body), {
      type: 'confirm',
      reservationId,
      orderId,
      ...items,
      keepRest: false,
    });
    switch (execution.status) {
      case 'recorded':
        return execution.entry.outcome.status === 'reservation-confirmed'
          ? park(
              'OTHER_LINES',
              `Reservation ${marked(reservationId)} was sold before, with other lines or for another order.`,
            )
          : done(execution.replayed);
      case 'observed':
        return execution.outcome.status === 'unknown-reservation' ? null : unexpected(execution.outcome);
      case 'mismatch':
        return this.#completeAfter(execution, message, body);
      default:
        return retryLater(execution);
    }
  }

  /** Null: where the reservation holds its lines is asked for, and there is no such reservation. */
  async #itemsOf({ items }: Body<'completed'>, reservationId: string): Promise<{ items?: Item[] } | null> {
    if (items === null) return {};
    const located = locatedLines(items);
    if (located.length === items.length) return { items: located };
    const found = await this.#parts.history.reservation(reservationId);
    return found === null ? null : { items: linesWithin(found.hold, items) };
  }

  /** The completion's id was taken: by a cancellation, or by another completion of the same order. */
  async #completeAfter({ entry }: Mismatch, message: OrderMessage, body: Body<'completed'>): Promise<Handling> {
    const { orderId, reservationId, items } = body;
    const cancellation = cancellationOf(entry);
    if (cancellation !== null) {
      return this.#answer(message, operationIdOf.completedAfterCancellation(orderId), {
        event: 'completed',
        orderId,
        ...(cancellation.reservationId === undefined ? {} : { reservationId: cancellation.reservationId }),
        items: locatedLines(items ?? []),
        reason: 'RELEASED',
      });
    }
    const hold = holdAfter(entry);
    const isSame = reservationId === null || reservationId === hold?.reservationId;
    const wasSold = entry.outcome.status === 'confirmed' && hold !== null && isSame && isSoldAs(hold, items);
    return wasSold ? done(true) : otherLines(entry, orderId);
  }

  async #answerUnknown(message: OrderMessage, body: Body<'completed'>): Promise<Handling> {
    const { hqId, orderId, reservationId, items } = body;
    const answered = await this.#answer(message, operationIdOf.completedWithoutReservation(orderId), {
      event: 'completed',
      orderId,
      ...(reservationId === null ? {} : { reservationId }),
      items: locatedLines(items ?? []),
      reason: 'UNKNOWN_RESERVATION',
    });
    if (answered.status === 'retry') return answered;
    const what = reservationId === null ? `for order ${marked(orderId)}` : marked(reservationId);
    return park(
      'UNKNOWN_RESERVATION',
      `HQ ${hqId} has no reservation ${what}, and none came while this was waited for. Redrive it once there is one.`,
    );
  }

  async #cancel(message: OrderMessage, body: Body<'cancelled'>): Promise<Handling> {
    const { hqId, orderId, reservationId: named } = body;
    const made = reservationIdOfOrder(hqId, orderId);
    const operationId = operationIdOf.cancelled(orderId);
    for (const reservationId of named === null || named === made ? [made] : [named, made]) {
      const handling = await this.#release(message, body, { operationId, reservationId });
      if (handling !== null) return handling;
    }
    const sold = await this.#parts.history.reservationOfOrder(hqId, orderId);
    const last =
      sold === null ? null : await this.#release(message, body, { operationId, reservationId: sold.reservationId });
    return last ?? this.#takeOrderId(message, body, operationId);
  }

  /** Null: there is no such reservation. */
  async #release(
    message: OrderMessage,
    body: Body<'cancelled'>,
    { operationId, reservationId }: { operationId: string; reservationId: string },
  ): Promise<Handling | null> {
    const command = { type: 'release', reservationId } as const;
    const execution = await this.#execute(message, operationId, fingerprintOf(body), command);
    switch (execution.status) {
      case 'recorded':
        return this.#afterRelease(execution, message, body);
      case 'observed':
        return execution.outcome.status === 'unknown-reservation' ? null : unexpected(execution.outcome);
      case 'mismatch': {
        // Another cancellation of the order; it may not have named the reservation that this one names.
        const before = execution.entry.command;
        const isSame = 'reservationId' in before && before.reservationId === body.reservationId;
        if (body.reservationId !== null && !isSame) return otherLines(execution.entry, body.orderId);
        return this.#afterRelease({ status: 'recorded', entry: execution.entry, replayed: true }, message, body);
      }
      default:
        return retryLater(execution);
    }
  }

  /**
   * The order, or its completion, may be still to come. What it would take is taken: the order's id, where another
   * reservation than the order's own was released; the completion's, where there was nothing left to release and a late
   * completion would take the units again.
   */
  async #afterRelease(
    { entry, replayed }: Recorded,
    message: OrderMessage,
    body: Body<'cancelled'>,
  ): Promise<Handling> {
    const { hqId, orderId } = body;
    const hold = holdAfter(entry);
    const sold = hold?.items.reduce((sum, { confirmed }) => sum + confirmed, 0) ?? 0;
    if (hold === null || entry.outcome.status !== 'released' || sold > 0) {
      return soldAlready(orderId, hold);
    }
    if (hold.status === 'expired') {
      const taken = await this.#takeCompletionId(message, body, hold);
      if (taken !== null) return taken;
    }
    return hold.reservationId === reservationIdOfOrder(hqId, orderId)
      ? done(replayed)
      : this.#takeOrderId(message, body, operationIdOf.cancelledBeside(orderId));
  }

  /** Null: a completion that comes now finds that the order was cancelled, or has found that already. */
  async #takeCompletionId(message: OrderMessage, body: Body<'cancelled'>, hold: Hold): Promise<Handling | null> {
    const { orderId } = body;
    const execution = await this.#execute(message, operationIdOf.completed(orderId), CANCELLATION, {
      type: 'answer-order',
      event: 'cancelled',
      orderId,
      reservationId: hold.reservationId,
      items: [],
      reason: 'CANCELLED',
    });
    if (execution.status === 'recorded') return null;
    if (execution.status !== 'mismatch') return retryLater(execution);
    const { entry } = execution;
    return entry.outcome.status === 'confirmed' ? soldAlready(orderId, holdAfter(entry)) : null;
  }

  /** A late order finds that it was cancelled; one that came at this very moment is released under `operationId`. */
  async #takeOrderId(message: OrderMessage, body: Body<'cancelled'>, operationId: string): Promise<Handling> {
    const { hqId, orderId } = body;
    const execution = await this.#execute(message, operationIdOf.placed(orderId), CANCELLATION, {
      type: 'answer-order',
      event: 'cancelled',
      orderId,
      items: [],
      reason: 'CANCELLED',
    });
    if (execution.status === 'recorded') return done(execution.replayed);
    if (execution.status !== 'mismatch') return retryLater(execution);
    if (execution.entry.outcome.status !== 'reserved') return done(true);
    const release = { operationId, reservationId: reservationIdOfOrder(hqId, orderId) };
    const unseen: Handling = {
      status: 'retry',
      reason: `Order ${marked(orderId)} was placed, and its reservation is not seen yet.`,
    };
    return (await this.#release(message, body, release)) ?? unseen;
  }

  async #createSku(message: OrderMessage, body: Body<'sku-created'>): Promise<Handling> {
    const { hqId, skuId, name, initialStock, storeId } = body;
    const unset = { category: null, price: null, cost: null, safetyStock: null, lowThreshold: null };
    const change = { hqId, provenance: provenanceOf(message), at: this.#parts.now() };
    const { created } = await this.#parts.masterData.addProduct(change, { productId: skuId, name, ...unset });
    if (initialStock === 0) return done(!created);
    const execution = await this.#execute(message, operationIdOf.skuCreated(skuId), fingerprintOf(body), {
      type: 'receive',
      items: [{ storeId, productId: skuId, quantity: initialStock }],
    });
    if (execution.status === 'observed') return parkUnknown(execution.outcome, hqId);
    if (execution.status === 'mismatch')
      return park(
        'OTHER_LINES',
        `Product ${marked(skuId)} was created before, with another initial stock or at another place.`,
      );
    if (execution.status !== 'recorded') return retryLater(execution);
    const { outcome } = execution.entry;
    return outcome.status === 'done' ? done(execution.replayed) : unexpected(outcome);
  }

  /** The same answer, whatever asks for it again. */
  async #answer(message: OrderMessage, operationId: string, answer: Omit<AnswerOrder, 'type'>): Promise<Handling> {
    const command = { type: 'answer-order', ...answer } as const;
    const execution = await this.#execute(message, operationId, fingerprintOf(message.body), command);
    if (execution.status === 'recorded') return done(execution.replayed);
    return execution.status === 'mismatch' ? otherLines(execution.entry, answer.orderId) : retryLater(execution);
  }

  #execute(message: OrderMessage, operationId: string, fingerprint: string, command: Command): Promise<Execution> {
    const { hqId } = message.body;
    return this.#parts.executor.execute({ ...provenanceOf(message), hqId, operationId, fingerprint, command });
  }
}

/** The audit shows the producer, and what is published names the event that it follows from. */
function provenanceOf({ topic, source, correlationId, eventId }: OrderMessage): Provenance {
  return { actor: { subject: source, role: 'system' }, origin: topic, correlationId, causationId: eventId };
}

/** The cancellation that took an operation id before the event to which it belongs. */
function cancellationOf({ command }: Entry): AnswerOrder | null {
  return command.type === 'answer-order' && command.event === 'cancelled' ? command : null;
}

/** The one hold of a confirmation or release, as it was afterwards. */
function holdAfter({ holds, read }: Entry): Hold | null {
  return holds[0] ?? read.holds[0] ?? null;
}

function done(replayed: boolean): Handling {
  return { status: 'done', replayed };
}

function park(code: ParkCode, reason: string): Handling {
  return { status: 'park', code, reason };
}

function otherLines({ operationId, command, correlationId }: Entry, orderId: string): Handling {
  const before = `${marked(`${operationId}`)} is a ${command.type} of the conversation ${marked(correlationId)}`;
  return park('OTHER_LINES', `Order ${marked(orderId)} came before and asked for something else: ${before}.`);
}

function soldAlready(orderId: string, hold: Hold | null): Handling {
  const units = hold?.items.reduce((sum, { confirmed }) => sum + confirmed, 0) ?? 0;
  const reservation = hold === null ? 'unknown' : marked(hold.reservationId);
  return park(
    'ORDER_COMPLETED',
    `Order ${marked(orderId)} cannot be cancelled: ${marked(units)} of its units were sold (reservation ${reservation}). Take the goods back, then drop this letter.`,
  );
}

function parkUnknown(outcome: Outcome, hqId: string): Handling {
  const then = 'Make it known, then redrive this letter.';
  if (outcome.status === 'unknown-store')
    return park('UNKNOWN_STORE', `HQ ${hqId} has no store ${marked(outcome.storeId)}. ${then}`);
  if (outcome.status === 'unknown-product')
    return park('UNKNOWN_PRODUCT', `HQ ${hqId} has no product ${marked(outcome.productId)}. ${then}`);
  return unexpected(outcome);
}

/** No rule answers so today; should one, the message is kept for a person instead of being taken for done. */
function unexpected({ status }: Outcome): Handling {
  return { status: 'retry', reason: `The stock answered "${status}", which is no answer to an event of an order.` };
}

type Unanswered = Exclude<Execution, Recorded | Mismatch>;

const UNAVAILABLE: Record<Answer<'unavailable'>['reason'], { reason: string; away: boolean }> = {
  overloaded: { reason: 'More commands wait to be recorded than are let in.', away: true },
  'window-full': { reason: 'More operation ids are remembered than there is room for.', away: true },
  'not-open': { reason: 'The stock of this HQ is being loaded.', away: true },
  'look-up-failed': { reason: 'What was recorded before could not be read.', away: true },
  // What the checks find wrong is discarded as well, again and again.
  discarded: { reason: 'It was decided, and the ledger could not record it; nothing was done.', away: false },
};

function retryLater(execution: Unanswered): Handling {
  switch (execution.status) {
    case 'unavailable':
      return { status: 'retry', ...UNAVAILABLE[execution.reason] };
    case 'unknown':
      return { status: 'retry', reason: 'It was decided; whether it is recorded could not be told in time.' };
    case 'observed':
      return unexpected(execution.outcome);
  }
}

/** What became of it, told in plain only where it came in plain; an error says that it is to be tried again. */
async function toldOf({ encrypted }: OrderMessage, handle: () => Promise<Handling>): Promise<Handling> {
  let handling: Handling;
  try {
    handling = await handle();
  } catch (error) {
    handling = retryAfter(error);
  }
  return 'reason' in handling ? { ...handling, reason: toldReason(handling.reason, encrypted) } : handling;
}

function retryAfter(error: unknown): Handling {
  if (error instanceof NotConfigured && error.execution.status === 'unavailable') return retryLater(error.execution);
  const reason = error instanceof Error ? error.message : String(error);
  const isAway =
    error instanceof HistoryBehind || error instanceof LedgerUnavailable || error instanceof CatalogUnavailable;
  return isAway ? { status: 'retry', reason, away: true } : { status: 'retry', reason: `It failed: ${marked(reason)}` };
}
