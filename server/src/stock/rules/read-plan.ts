import type { Command } from '../commands.ts';
import type { Hold } from '../entry.ts';
import { HQ_POOL } from '../limits.ts';

export interface LevelKey {
  storeId: string;
  productId: string;
}

/**
 * The levels that a command reads, in the order in which its rule expects them. An engine gathers exactly
 * these (`configure-product` excepted: it reads every level of the product that follows its default).
 */
export function levelsToRead(command: Command, holds: readonly Hold[]): readonly LevelKey[] {
  switch (command.type) {
    case 'receive':
    case 'issue':
    case 'adjust':
    case 'count':
    case 'reserve':
      return command.items;
    case 'distribute':
      return pairs(command.items, HQ_POOL, command.storeId);
    case 'transfer':
      return pairs(command.items, command.fromStoreId, command.toStoreId);
    case 'configure-level':
      return [command];
    case 'configure-store':
    case 'configure-product':
    case 'extend':
    case 'answer-order':
      return [];
    case 'confirm':
    case 'release':
      return holds[0]?.items ?? [];
    case 'expire':
      return distinct(holds.flatMap((hold) => hold.items));
    case 'undo':
      return command.items ?? holds[0]?.items ?? [];
  }
}

/** Source and target of each item, in turn. */
function pairs(items: readonly { productId: string }[], from: string, to: string): LevelKey[] {
  return items.flatMap(({ productId }) => [
    { storeId: from, productId },
    { storeId: to, productId },
  ]);
}

function distinct(keys: readonly LevelKey[]): LevelKey[] {
  const seen = new Map<string, LevelKey>();
  for (const key of keys) seen.set(levelKey(key), { storeId: key.storeId, productId: key.productId });
  return [...seen.values()];
}

/** Ids hold no slash, so the key names one level. */
export function levelKey(key: LevelKey): string {
  return `${key.storeId}/${key.productId}`;
}

/** Reservations that a command names; the engine reads those that it knows. */
export function holdsToRead(command: Command): readonly string[] {
  switch (command.type) {
    case 'confirm':
    case 'release':
    case 'extend':
      return [command.reservationId];
    case 'expire':
      return command.reservationIds;
    case 'undo':
      return command.reservationId === undefined ? [] : [command.reservationId];
    default:
      return [];
  }
}

/** Locations that must be known before the command is decided (holds know their own). */
export function storesToKnow(command: Command): readonly string[] {
  switch (command.type) {
    case 'distribute':
      return [command.storeId];
    case 'transfer':
      return [command.fromStoreId, command.toStoreId];
    case 'receive':
    case 'issue':
    case 'adjust':
    case 'count':
      return command.items.map((item) => item.storeId);
    case 'reserve':
      return command.items.map((item) => item.storeId);
    case 'configure-level':
      return [command.storeId];
    default:
      return [];
  }
}

export function productsToKnow(command: Command): readonly string[] {
  switch (command.type) {
    case 'receive':
    case 'issue':
    case 'adjust':
    case 'count':
    case 'distribute':
    case 'transfer':
    case 'reserve':
      return command.items.map((item) => item.productId);
    case 'configure-level':
      return [command.productId];
    default:
      return [];
  }
}
