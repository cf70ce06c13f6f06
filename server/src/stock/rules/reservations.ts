import type { Confirm, Expire, Extend, Item, Release, Reserve, Undo } from '../commands.ts';
import { type Hold, type HoldItem, heldStill, isOpen, type Line, type Read } from '../entry.ts';
import type { ExceedingLine } from '../outcome.ts';
import { levelKey } from './read-plan.ts';
import { lacking, type Ruling, refuse, succeed } from './ruling.ts';

export function reserve(command: Reserve, read: Read, at: number): Ruling {
  const short = lacking(
    read,
    command.items.map((item, index) => ({ level: index, quantity: item.quantity })),
  );
  if (short.length > 0) return refuse({ status: 'insufficient', lines: short });
  const hold: Hold = {
    reservationId: command.reservationId,
    storeId: command.storeId,
    transactionId: command.transactionId,
    orderId: command.orderId ?? null,
    status: 'active',
    createdAt: at,
    expiresAt: at + command.ttlMs,
    items: command.items.map(newHoldItem),
  };
  const lines = command.items.map((item, index) => ({ level: index, onHandChange: 0, reservedChange: item.quantity }));
  return succeed({ status: 'reserved' }, lines, [hold]);
}

function newHoldItem({ storeId, productId, quantity, price }: Item): HoldItem {
  const item: HoldItem = { storeId, productId, reserved: quantity, confirmed: 0, released: 0 };
  if (price !== undefined) item.price = price;
  return item;
}

/** The hold that a caller may see: one of another store is as unknown as one that never was. */
function visibleHold(read: Read, storeScope: string | undefined): Hold | null {
  const hold = read.holds[0];
  if (hold === undefined || (storeScope !== undefined && hold.storeId !== storeScope)) return null;
  return hold;
}

/**
 * Order of precedence: unknown, released, confirmed (the same again succeeds), more than was held, then what
 * the stock allows. An expired hold tries to take its units again: `late`.
 */
export function confirm(command: Confirm, read: Read): Ruling {
  const hold = visibleHold(read, command.storeScope);
  if (hold === null) return refuse({ status: 'unknown-reservation' });
  if (hold.status === 'released') return refuse({ status: 'reservation-released' });
  if (hold.status === 'confirmed') return confirmAgain(command, hold);
  if (hold.status === 'partly_confirmed' && hold.orderId !== command.orderId) {
    return refuse({ status: 'reservation-confirmed' });
  }
  const late = hold.status === 'expired';
  const wanted = wantedOf(command, hold, late);
  const exceeding = exceedingLines(command, hold, late);
  if (exceeding.length > 0) return refuse({ status: 'quantity-exceeds', lines: exceeding });
  return late ? confirmLate(command, read, hold, wanted) : confirmOpen(command, read, hold, wanted);
}

/** Confirmed already: the same order and lines succeed without effect. */
function confirmAgain(command: Confirm, hold: Hold): Ruling {
  const wanted = wantedOf(command, hold, true);
  const same =
    hold.orderId === command.orderId &&
    exceedingLines(command, hold, true).length === 0 &&
    hold.items.every((item, index) => item.confirmed === wanted[index]);
  return same ? succeed({ status: 'confirmed', late: false }, [], []) : refuse({ status: 'reservation-confirmed' });
}

/** Units to confirm of each item of the hold: those named, else all (`whole`: all that was held at first). */
function wantedOf(command: Confirm, hold: Hold, whole: boolean): number[] {
  if (command.items === undefined) return hold.items.map((item) => (whole ? item.reserved : heldStill(item)));
  const named = new Map(command.items.map((item) => [levelKey(item), item.quantity]));
  return hold.items.map((item) => named.get(levelKey(item)) ?? 0);
}

function exceedingLines(command: Confirm, hold: Hold, whole: boolean): ExceedingLine[] {
  if (command.items === undefined) return [];
  const held = new Map(hold.items.map((item) => [levelKey(item), whole ? item.reserved : heldStill(item)]));
  return command.items
    .map(({ storeId, productId, quantity }) => ({
      storeId,
      productId,
      requested: quantity,
      held: held.get(`${storeId}/${productId}`) ?? 0,
    }))
    .filter((line) => line.requested > line.held);
}

function confirmOpen(command: Confirm, read: Read, hold: Hold, wanted: readonly number[]): Ruling {
  const takes = wanted.map((quantity, level) => ({ level, quantity })).filter((take) => take.quantity > 0);
  const short = lacking(read, takes, (level) => level.onHand);
  if (short.length > 0) return refuse({ status: 'insufficient', lines: short });
  const lines: Line[] = [];
  const items = hold.items.map((item, level) => {
    const sold = wanted[level] ?? 0;
    const givenBack = command.keepRest ? 0 : heldStill(item) - sold;
    if (sold + givenBack > 0) lines.push({ level, onHandChange: 0 - sold, reservedChange: -(sold + givenBack) });
    return { ...item, confirmed: item.confirmed + sold, released: item.released + givenBack };
  });
  const open = items.some((item) => heldStill(item) > 0);
  const after: Hold = { ...hold, items, orderId: command.orderId, status: open ? 'partly_confirmed' : 'confirmed' };
  return succeed({ status: 'confirmed', late: false }, lines, [after]);
}

/** The hold has expired: its units are taken again from what is available, all or none. */
function confirmLate(command: Confirm, read: Read, hold: Hold, wanted: readonly number[]): Ruling {
  const takes = wanted.map((quantity, level) => ({ level, quantity })).filter((take) => take.quantity > 0);
  if (lacking(read, takes).length > 0) return refuse({ status: 'reservation-expired' });
  const lines = takes.map((take) => ({ level: take.level, onHandChange: -take.quantity, reservedChange: 0 }));
  const items = hold.items.map((item, level) => {
    const sold = wanted[level] ?? 0;
    return { ...item, confirmed: sold, released: item.reserved - sold };
  });
  const after: Hold = { ...hold, items, orderId: command.orderId, status: 'confirmed' };
  return succeed({ status: 'confirmed', late: true }, lines, [after]);
}

export function release(command: Release, read: Read): Ruling {
  const hold = visibleHold(read, command.storeScope);
  if (hold === null) return refuse({ status: 'unknown-reservation' });
  if (hold.status === 'confirmed') return refuse({ status: 'reservation-confirmed' });
  if (!isOpen(hold)) return succeed({ status: 'released' }, []);
  return succeed({ status: 'released' }, givingBack(hold), [closed(hold, 'released')]);
}

/** Lines that give back what is held still; `levelOf` finds the level of an item. */
function givingBack(hold: Hold, levelOf = (_item: HoldItem, index: number) => index): Line[] {
  return hold.items
    .map((item, index) => ({ level: levelOf(item, index), onHandChange: 0, reservedChange: -heldStill(item) }))
    .filter((line) => line.reservedChange !== 0);
}

/** A hold of which a part was confirmed ends as confirmed, the rest given back. */
function closed(hold: Hold, status: 'released' | 'expired'): Hold {
  return {
    ...hold,
    status: hold.status === 'partly_confirmed' ? 'confirmed' : status,
    items: hold.items.map((item) => ({ ...item, released: item.reserved - item.confirmed })),
  };
}

export function extend(command: Extend, read: Read, at: number): Ruling {
  const hold = visibleHold(read, command.storeScope);
  if (hold === null) return refuse({ status: 'unknown-reservation' });
  if (hold.status === 'released') return refuse({ status: 'reservation-released' });
  if (hold.status === 'confirmed') return refuse({ status: 'reservation-confirmed' });
  if (hold.status === 'expired') return refuse({ status: 'reservation-expired' });
  return succeed({ status: 'extended' }, [], [{ ...hold, expiresAt: at + command.ttlMs }]);
}

/** Closes the named holds that are open and due; the engine names only such, and a line tells its hold. */
export function expire(_command: Expire, read: Read, at: number): Ruling {
  const levelIndex = new Map(read.levels.map((level, index) => [levelKey(level), index]));
  const lines: Line[] = [];
  const holds: Hold[] = [];
  for (const hold of read.holds) {
    if (!isOpen(hold) || hold.expiresAt > at) continue;
    for (const line of givingBack(hold, (item) => levelIndex.get(levelKey(item)) ?? -1)) {
      lines.push({ ...line, hold: holds.length });
    }
    holds.push(closed(hold, 'expired'));
  }
  return succeed({ status: 'expired' }, lines, holds);
}

/** The inverse of a reserve (its hold is given back, whatever became due since) or of an issue. */
export function undo(command: Undo, read: Read): Ruling {
  if (command.items !== undefined) {
    const lines = command.items.map((item, level) => ({ level, onHandChange: item.quantity, reservedChange: 0 }));
    return succeed({ status: 'done' }, lines);
  }
  const hold = read.holds[0];
  if (hold === undefined || !isOpen(hold)) return succeed({ status: 'done' }, []);
  return succeed({ status: 'done' }, givingBack(hold), [closed(hold, 'released')]);
}
