/**
 * The names of locks, one for each level of the stock hierarchy and one for roles of a process. Keys of different
 * levels do not exclude each other: whoever must keep out a store and its products takes all of their keys.
 */
export const LOCK_PREFIX = 'inventory:lock:';

/** From the outside in: the order in which several keys are taken. */
const KINDS = ['role', 'hq', 'store', 'product'] as const;

export type LockKind = (typeof KINDS)[number];

export function hqLock(hqId: string): string {
  return `${LOCK_PREFIX}hq:${hqId}`;
}

export function storeLock(hqId: string, storeId: string): string {
  return `${LOCK_PREFIX}store:${hqId}:${storeId}`;
}

export function productLock(hqId: string, storeId: string, productId: string): string {
  return `${LOCK_PREFIX}product:${hqId}:${storeId}:${productId}`;
}

/** Held by the one process that leads in a role. */
export function roleLock(role: string): string {
  return `${LOCK_PREFIX}role:${role}`;
}

/** @throws RangeError for a text that no function above made. */
export function lockKindOf(key: string): LockKind {
  const kind = KINDS.find((each) => key.startsWith(`${LOCK_PREFIX}${each}:`));
  if (kind === undefined) throw new RangeError(`${JSON.stringify(key)} is no key of a lock`);
  return kind;
}

/** One order for all: two who want the same keys can then never wait for each other. Equal keys become one. */
export function inLockOrder(keys: readonly string[]): string[] {
  const rank = (key: string) => KINDS.indexOf(lockKindOf(key));
  return [...new Set(keys)].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}
