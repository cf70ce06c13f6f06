import { hash, randomBytes } from 'node:crypto';
import { ID_LENGTH_MAX, OPERATION_ID_LENGTH_MAX, PARTITION_COUNT } from './limits.ts';

export const ID_PATTERN = `^[A-Za-z0-9._-]{1,${ID_LENGTH_MAX}}$`;
export const OPERATION_ID_PATTERN = `^[A-Za-z0-9._:/-]{1,${OPERATION_ID_LENGTH_MAX}}$`;

/** What operation ids begin with, before a slash, that only Holdfast itself may use. */
export const SYSTEM_OPERATIONS = ['undo', 'order', 'sku'] as const;

const RESERVATION_ID = /^rsv_(\d{1,2})_[0-9a-f]{24}$/;

export function isSystemOperationId(operationId: string): boolean {
  return SYSTEM_OPERATIONS.some((first) => operationId.startsWith(`${first}/`));
}

/** 32-bit FNV-1a over the UTF-8 bytes of an ASCII id. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}

/**
 * The partition that decides for a location. Today all stock of an HQ is one partition; callers pass the
 * location all the same, so that an HQ can later be split into regions.
 */
export function partitionOf(hqId: string, _locationId?: string): number {
  return fnv1a(hqId) % PARTITION_COUNT;
}

/** `rsv_<partition>_<96 random bits>`: an id of a discarded lineage never names another customer's hold. */
export function newReservationId(partition: number): string {
  return `rsv_${partition}_${randomHex96()}`;
}

/** The reservation that an order's event makes: the same one for every repetition of it, and known without a look-up. */
export function reservationIdOfOrder(hqId: string, orderId: string): string {
  return `rsv_${partitionOf(hqId)}_${hash('sha256', `${hqId}\n${orderId}`, 'hex').slice(0, 24)}`;
}

/** The partition that a reservation id names, or null when the text is no reservation id. */
export function partitionOfReservation(reservationId: string): number | null {
  const match = RESERVATION_ID.exec(reservationId);
  const partition = match === null ? Number.NaN : Number(match[1]);
  return partition < PARTITION_COUNT ? partition : null;
}

const POOL_BYTES = 12 * 1024;
let pool = '';
let poolOffset = 0;

/** Random bytes are drawn in bulk: one system call for 1 024 ids. */
function randomHex96(): string {
  if (poolOffset >= pool.length) {
    pool = randomBytes(POOL_BYTES).toString('hex');
    poolOffset = 0;
  }
  const id = pool.slice(poolOffset, poolOffset + 24);
  poolOffset += 24;
  return id;
}
