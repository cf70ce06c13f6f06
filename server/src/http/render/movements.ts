/** Answers of the commands that move stock. Pure functions of their entries. */
import { available, changesOf, type Entry, type LevelRead } from '../../stock/entry.ts';
import { type Answer, success } from '../answer.ts';
import { skuText } from './stock.ts';

type Prefix = 'rcv' | 'dst' | 'trf' | 'adj' | 'cnt';

function idOf(entry: Entry, prefix: Prefix): string {
  return `${prefix}_${entry.partition}_${entry.seq}`;
}

function items(entry: Entry): { productId: string; quantity: number }[] {
  const { command } = entry;
  if (command.type !== 'receive' && command.type !== 'distribute' && command.type !== 'transfer') return [];
  return command.items.map(({ productId, quantity }) => ({ productId, quantity }));
}

export function receiveAnswer(entry: Entry): Answer {
  return success(200, JSON.stringify({ receiptId: idOf(entry, 'rcv'), status: 'COMPLETED', items: items(entry) }));
}

export function distributeAnswer(entry: Entry): Answer {
  return success(200, JSON.stringify({ distributionId: idOf(entry, 'dst'), status: 'COMPLETED', items: items(entry) }));
}

export function transferAnswer(entry: Entry): Answer {
  return success(200, JSON.stringify({ transferId: idOf(entry, 'trf'), status: 'COMPLETED', items: items(entry) }));
}

/** The quantities of a level after the command; `shortfall`: units that are promised and not there. */
function after(level: LevelRead): { onHand: number; available: number; shortfall?: number } {
  const left = available(level);
  const quantities = { onHand: level.onHand, available: left };
  return left < 0 ? { ...quantities, shortfall: -left } : quantities;
}

export function adjustAnswer(entry: Entry): Answer {
  const changes = changesOf(entry);
  const adjusted = changes.map(({ line, after: level }) => ({
    productId: level.productId,
    change: line.onHandChange,
    ...after(level),
  }));
  const body = { adjustmentId: idOf(entry, 'adj'), status: 'COMPLETED', items: adjusted };
  return success(200, JSON.stringify(body), onlyVersion(changes));
}

export function countAnswer(entry: Entry): Answer {
  const { outcome } = entry;
  if (outcome.status !== 'counted') throw new Error(`entry ${entry.seq} is no count`);
  const changes = changesOf(entry);
  const counted = changes.map(({ after: level }, index) => ({
    productId: level.productId,
    counted: outcome.lines[index]?.counted,
    difference: outcome.lines[index]?.difference,
    ...after(level),
  }));
  const countedAt = new Date(outcome.countedAt).toISOString();
  const body = { countId: idOf(entry, 'cnt'), status: 'COMPLETED', countedAt, items: counted };
  return success(200, JSON.stringify(body), onlyVersion(changes));
}

/** The sum of the SKU after an add or a decrease of one level. */
export function skuAnswer(entry: Entry): Answer {
  const [before] = entry.read.totals;
  if (before === undefined) throw new Error(`entry ${entry.seq} did not read the totals of its product`);
  const totals = { ...before, updatedAt: entry.at };
  for (const line of entry.lines) {
    totals.onHand += line.onHandChange;
    totals.reserved += line.reservedChange;
  }
  return success(200, skuText(totals), onlyVersion(changesOf(entry)));
}

/** The new version of the level, when the command wrote exactly one. */
function onlyVersion(changes: readonly { after: LevelRead }[]): number | undefined {
  return changes.length === 1 ? changes[0]?.after.version : undefined;
}
