import type { Adjust, Count, CountItem, Distribute, Issue, Receive, Transfer } from '../commands.ts';
import type { Line, Read } from '../entry.ts';
import { ON_HAND_MAX } from '../limits.ts';
import type { CountedLine } from '../outcome.ts';
import { lacking, levelAt, type Ruling, refuse, staleVersion, succeed } from './ruling.ts';

function onHandLine(level: number, onHandChange: number): Line {
  return { level, onHandChange, reservedChange: 0 };
}

/** A refusal when a line would lift a level past what can be counted exactly. */
function overfull(read: Read, lines: readonly Line[]): Ruling | null {
  for (const line of lines) {
    const level = levelAt(read, line.level);
    if (level.onHand + line.onHandChange > ON_HAND_MAX) {
      return refuse({ status: 'level-limit', storeId: level.storeId, productId: level.productId });
    }
  }
  return null;
}

export function receive(command: Receive, read: Read): Ruling {
  const stale = staleVersion(read, command.expectedVersion);
  if (stale !== null) return stale;
  const lines = command.items.map((item, index) => onHandLine(index, item.quantity));
  return overfull(read, lines) ?? succeed({ status: 'done' }, lines);
}

/** Distribution and transfer: levels come in pairs, source then target. */
export function move(command: Distribute | Transfer, read: Read): Ruling {
  const takes = command.items.map((item, index) => ({ level: 2 * index, quantity: item.quantity }));
  const short = lacking(read, takes);
  if (short.length > 0) return refuse({ status: 'insufficient', lines: short });
  const lines = command.items.flatMap((item, index) => [
    onHandLine(2 * index, -item.quantity),
    onHandLine(2 * index + 1, item.quantity),
  ]);
  return overfull(read, lines) ?? succeed({ status: 'done' }, lines);
}

export function issue(command: Issue, read: Read): Ruling {
  const stale = staleVersion(read, command.expectedVersion);
  if (stale !== null) return stale;
  const short = lacking(
    read,
    command.items.map((item, index) => ({ level: index, quantity: item.quantity })),
  );
  if (short.length > 0) return refuse({ status: 'insufficient', lines: short });
  return succeed(
    { status: 'done' },
    command.items.map((item, index) => onHandLine(index, -item.quantity)),
  );
}

/** An adjustment states a fact: it may push `available` below zero (a shortfall), never `onHand`. */
export function adjust(command: Adjust, read: Read): Ruling {
  const stale = staleVersion(read, command.expectedVersion);
  if (stale !== null) return stale;
  const short = lacking(
    read,
    command.items.map((item, index) => ({ level: index, quantity: -item.change })),
    (level) => level.onHand,
  );
  if (short.length > 0) return refuse({ status: 'insufficient', lines: short });
  const lines = command.items.map((item, index) => onHandLine(index, item.change));
  return overfull(read, lines) ?? succeed({ status: 'done' }, lines);
}

/**
 * A stock-take books the difference to what was on hand at `countedAt`, so that sales made since are kept.
 * The difference rests on the level's last count: another one since then makes the caller compute it again.
 * One from the future (another clock) counts as taken now, else it would shut out all counts until then.
 */
export function count(command: Count, read: Read, at: number): Ruling {
  const stale = staleVersion(read, command.expectedVersion);
  if (stale !== null) return stale;
  const countedAt = Math.min(command.countedAt ?? at, at);
  const counted: CountedLine[] = [];
  for (const [index, item] of command.items.entries()) {
    const refusal = countRefusal(item, read, index, countedAt);
    if (refusal !== null) return refusal;
    const difference = item.counted - (item.onHandThen ?? levelAt(read, index).onHand);
    counted.push({ storeId: item.storeId, productId: item.productId, counted: item.counted, difference });
  }
  const short = lacking(
    read,
    counted.map((line, index) => ({ level: index, quantity: -line.difference })),
    (level) => level.onHand,
  );
  if (short.length > 0) return refuse({ status: 'insufficient', lines: short });
  const lines = counted.map((line, index) => onHandLine(index, line.difference));
  return overfull(read, lines) ?? succeed({ status: 'counted', countedAt, lines: counted }, lines);
}

function countRefusal(item: CountItem, read: Read, index: number, countedAt: number): Ruling | null {
  const last = levelAt(read, index).lastCount ?? null;
  if (last === null) return item.basedOn === null ? null : refuse({ status: 'stale-count' });
  if (countedAt < last.countedAt) {
    const { storeId, productId } = item;
    return refuse({ status: 'count-superseded', storeId, productId, countedAt: last.countedAt });
  }
  return item.onHandThen === null || item.basedOn?.seq === last.seq ? null : refuse({ status: 'stale-count' });
}
