/**
 * The rules of stock: (what was read, command, time) → outcome and lines. Pure: no I/O, no clock and no
 * randomness of its own, so an entry can be decided again from what it says was read, by the recorder before
 * it answers, by `holdfast verify`, and by an engine in another language that must agree with it.
 */
import type { Command } from './commands.ts';
import type { Read } from './entry.ts';
import { configure } from './rules/configure.ts';
import { adjust, count, issue, move, receive } from './rules/movements.ts';
import { levelKey } from './rules/read-plan.ts';
import { confirm, expire, extend, release, reserve, undo } from './rules/reservations.ts';
import { type Ruling, refuse, succeed } from './rules/ruling.ts';

export type { Ruling } from './rules/ruling.ts';

export function decide(command: Command, read: Read, at: number): Ruling {
  if (read.unknownStore !== undefined) return refuse({ status: 'unknown-store', storeId: read.unknownStore });
  if (read.unknownProduct !== undefined) return refuse({ status: 'unknown-product', productId: read.unknownProduct });
  assertDistinct(read);
  switch (command.type) {
    case 'reserve':
      return reserve(command, read, at);
    case 'confirm':
      return confirm(command, read);
    case 'release':
      return release(command, read);
    case 'extend':
      return extend(command, read, at);
    case 'expire':
      return expire(command, read, at);
    case 'receive':
      return receive(command, read);
    case 'distribute':
    case 'transfer':
      return move(command, read);
    case 'issue':
      return issue(command, read);
    case 'adjust':
      return adjust(command, read);
    case 'count':
      return count(command, read, at);
    case 'configure-store':
    case 'configure-product':
    case 'configure-level':
      return configure(command, read);
    case 'undo':
      return undo(command, read);
    case 'answer-order':
      return succeed({ status: 'done' }, []);
  }
}

/**
 * Lines are checked each against its own level: a level read twice could be taken from twice. Keys are joined only for
 * products that come more than once, for this is done for every line of an import.
 */
function assertDistinct({ levels }: Read): void {
  if (levels.length < 2) return;
  const firstStores = new Map<string, string>();
  const others = new Set<string>();
  for (const level of levels) {
    const firstStore = firstStores.get(level.productId);
    if (firstStore === undefined) firstStores.set(level.productId, level.storeId);
    else if (firstStore !== level.storeId && !others.has(levelKey(level))) others.add(levelKey(level));
    else
      throw new Error(
        `a command names a level twice (${levelKey(level)}): equal lines are summed, and nothing moves onto itself`,
      );
  }
}
