/**
 * Audit: which entries an HQ and an actor made, in order. Everything that is shown of them, the hash included, is
 * read from the entry itself: a copy of it could only be wrong.
 */
import { changesOf, type Entry, type LevelRead } from '../stock/entry.ts';
import type { AuditRow, LevelQuantities } from './history-reads.ts';

export const AUDIT_VERSION = 1;

export function auditOf(entry: Entry, hash: string): AuditRow {
  return {
    partition: entry.partition,
    seq: entry.seq,
    hash,
    at: entry.at,
    hqId: entry.hqId,
    type: entry.command.type,
    operationId: entry.operationId,
    outcome: entry.outcome.status,
    actor: entry.actor,
    origin: entry.origin,
    correlationId: entry.correlationId,
    changes: changesOf(entry).map(({ before, after }) => ({
      storeId: after.storeId,
      productId: after.productId,
      before: quantities(before),
      after: quantities(after),
    })),
  };
}

function quantities({ onHand, reserved }: LevelRead): LevelQuantities {
  return { onHand, reserved };
}
