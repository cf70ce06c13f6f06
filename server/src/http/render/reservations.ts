/** Reservations as JSON, written by hand: ids need no escaping, and the answer to a reserve is on the hot path. */
import type { Entry, Hold, HoldItem } from '../../stock/entry.ts';
import { instantText } from '../../stock/instant-text.ts';
import { type Answer, success } from '../answer.ts';

export function reserveAnswer(entry: Entry): Answer {
  const hold = entry.holds[0] as Hold;
  let items = '';
  for (const item of hold.items) {
    const store = item.storeId === hold.storeId ? '' : `,"storeId":"${item.storeId}"`;
    items += `${items === '' ? '' : ','}{"productId":"${item.productId}","reserved":${item.reserved}${store}}`;
  }
  return success(
    201,
    `{"reservationId":"${hold.reservationId}","expiresAt":"${instantText(hold.expiresAt)}","items":[${items}]}`,
  );
}

/** The hold that a command on one leaves: as it wrote it, or as it found it when it changed nothing. */
export function holdOf(entry: Pick<Entry, 'holds' | 'read'>): Hold | null {
  return entry.holds[0] ?? entry.read.holds[0] ?? null;
}

export function confirmAnswer(entry: Entry): Answer {
  const { outcome } = entry;
  const late = outcome.status === 'confirmed' && outcome.late;
  return success(200, holdText(entry.hqId, holdOf(entry) as Hold, `,"late":${late}`));
}

export function extendAnswer(entry: Entry): Answer {
  return success(200, holdText(entry.hqId, holdOf(entry) as Hold));
}

/** A release that changed nothing found the hold closed. */
export function releaseAnswer(before: Hold | null): Answer {
  const message =
    before?.status === 'expired'
      ? 'The reservation had expired; its stock was given back then.'
      : before?.status === 'released'
        ? 'The reservation was released before.'
        : 'The reservation is released and its stock given back.';
  return success(200, `{"success":true,"message":"${message}"}`);
}

export function holdText(hqId: string, hold: Hold, more = ''): string {
  const order = hold.orderId === null ? 'null' : `"${hold.orderId}"`;
  return (
    `{"reservationId":"${hold.reservationId}","transactionId":"${hold.transactionId}","hqId":"${hqId}"` +
    `,"storeId":"${hold.storeId}","status":"${hold.status}","orderId":${order}` +
    `,"createdAt":"${instantText(hold.createdAt)}","expiresAt":"${instantText(hold.expiresAt)}"` +
    `,"items":[${hold.items.map(itemText).join(',')}]${more}}`
  );
}

function itemText(item: HoldItem): string {
  return (
    `{"productId":"${item.productId}","storeId":"${item.storeId}","reserved":${item.reserved}` +
    `,"confirmed":${item.confirmed},"released":${item.released}}`
  );
}
