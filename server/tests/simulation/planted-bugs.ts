/**
 * Bugs that the simulation must find. Each replaces a piece of source text that is there exactly once, so that a bug
 * whose place has changed is noticed at once instead of being planted nowhere.
 */
export interface PlantedBug {
  name: string;
  /** Rare ones are looked for from the seed that found them first. */
  firstSeed?: number;
  patches: { file: string; find: string; replace: string }[];
}

function bug(name: string, file: string, find: string, replace: string, firstSeed = 1): PlantedBug {
  return { name, firstSeed, patches: [{ file, find, replace }] };
}

const EXECUTOR = 'recording/command-executor.ts';
const RECORDER = 'recording/recorder.ts';
const RESERVATIONS = 'stock/rules/reservations.ts';

export const plantedBugs: PlantedBug[] = [
  bug(
    'callers are answered before the commit',
    'recording/acknowledgements.ts',
    'if (seq <= this.recordedSeq(partition)) return RECORDED;',
    'if (seq >= 0) return RECORDED;',
  ),
  {
    name: 'waiters are released by number, not by mark',
    patches: [
      {
        file: 'recording/acknowledgements.ts',
        find: 'waiter.resolve(waiter.mark === mark ? recorded : DISCARDED)',
        replace: 'waiter.resolve(recorded)',
      },
      { file: 'recording/acknowledgements.ts', find: 'this.#resolveAll(DISCARDED);', replace: '' },
    ],
  },
  bug(
    'an answer without an entry does not wait for what it rests on',
    EXECUTOR,
    "const acknowledgement = await this.#wait(decision.head);\n        if (acknowledgement.status !== 'recorded') return refusal(acknowledgement);",
    '',
  ),
  bug(
    'a replay returns the newest result instead of the first',
    EXECUTOR,
    'entry = await this.#parts.ledger.entry(partition, seq);',
    'entry = await this.#parts.ledger.entry(partition, this.#parts.acknowledgements.recordedSeq(partition));',
  ),
  bug(
    'an unclear commit is taken for a failed one',
    RECORDER,
    "case 'unknown':\n          throw",
    "case 'unknown':\n          await this.#reload(result.reason);\n          if (result.reason !== '') return false;\n          throw",
  ),
  bug(
    'a batch behind one that was not recorded is forgotten',
    RECORDER,
    'if (!(await this.#settle(oldest, first))) return;',
    'if ((await this.#settle(oldest, first)) || behind.length >= 0) return;',
  ),
  bug(
    'a failed commit is not rolled out of the engine',
    RECORDER,
    'if (!this.#stopped) this.#adopt(await reload());',
    '(engine as unknown as { open(heads: never[]): void }).open([]); void reload;',
  ),
  bug(
    'an entry is journalled twice',
    'stock/memory/memory-stock-engine.ts',
    'this.#journal.append(entry, state.head.mark);',
    'this.#journal.append(entry, state.head.mark); if (entry.seq % 7 === 0) this.#journal.append(entry, state.head.mark);',
  ),
  {
    name: 'operation ids are forgotten by a restart, and nobody knows',
    patches: [
      {
        file: 'recording/restore.ts',
        find: "await engine.load({ kind: 'window', partition, afterSeq });",
        replace: "await engine.load({ kind: 'window', partition, afterSeq: 0 }); afterSeq = imageSeq;",
      },
    ],
  },
  bug(
    'ids older than the window are not looked up',
    'stock/memory/memory-stock-engine.ts',
    'return operationId === null || lookedUpAt >= state.operations.floorSeq;',
    'return operationId === null || lookedUpAt >= 0;',
  ),
  bug(
    'the window evicts ids that are not recorded yet',
    'stock/memory/operation-window.ts',
    ' || operation.place.seq > recordedSeq',
    ' || recordedSeq < 0',
  ),
  bug(
    'the epoch is not bumped on restore',
    'ledger/sqlite/sqlite-ledger-store.ts',
    'epoch: head.epoch + 1',
    'epoch: head.epoch',
  ),
  bug(
    'a restart forgets open holds',
    'projections/sqlite/image-reader.ts',
    'this.#levels(), this.#openHolds()]',
    'this.#levels()]',
  ),
  bug(
    'a restart forgets when stock last changed',
    'stock/memory/partition-state.ts',
    'product.updatedAt = Math.max(product.updatedAt, row.updatedAt);',
    '',
  ),
  bug(
    'what was decided twice is not undone after a crash',
    'ledger/sqlite/sqlite-ledger-store.ts',
    'where duplicate_of is not null order by',
    'where duplicate_of is not null and 1 = 0 order by',
    54,
  ),
  bug(
    'the projector merges changes of one level wrongly',
    'projections/levels.ts',
    'into.after = later.after;',
    'into.after = { ...later.after, reserved: into.after.reserved };',
  ),
  bug(
    'the relay moves its cursor before publishing',
    'events/relay-line.ts',
    'readTo = batch.position;',
    'readTo = this.#published = batch.position;',
  ),
  bug(
    'an expiry forgets to give back',
    RESERVATIONS,
    'lines.push({ ...line, hold: holds.length });',
    'if (hold.items.length < 2) lines.push({ ...line, hold: holds.length });',
  ),
  bug(
    'a confirmation checks what is available instead of what is on hand',
    RESERVATIONS,
    'const short = lacking(read, takes, (level) => level.onHand);',
    'const short = lacking(read, takes);',
  ),
  bug(
    'a late confirmation does not check what is available',
    RESERVATIONS,
    "if (lacking(read, takes).length > 0) return refuse({ status: 'reservation-expired' });",
    "if (lacking(read, takes, (level) => level.onHand).length > 0) return refuse({ status: 'reservation-expired' });",
    30,
  ),
  bug(
    'a part confirmation loses the rest',
    RESERVATIONS,
    'reservedChange: -(sold + givenBack)',
    'reservedChange: -sold',
    12,
  ),
  bug(
    'an extension resurrects an expired hold',
    RESERVATIONS,
    "if (hold.status === 'expired') return refuse({ status: 'reservation-expired' });\n  return succeed({ status: 'extended' }, [], [{ ...hold, expiresAt",
    "return succeed({ status: 'extended' }, [], [{ ...hold, status: 'active', expiresAt",
  ),
  bug(
    'a transfer changes the totals of the HQ',
    'stock/memory/partition-state.ts',
    'product.onHand += line.onHandChange;',
    "if (entry.command.type !== 'transfer' || line.onHandChange > 0) product.onHand += line.onHandChange;",
  ),
  bug(
    'a count books against now instead of when it was counted',
    'stock/rules/movements.ts',
    '(item.onHandThen ?? levelAt(read, index).onHand)',
    'levelAt(read, index).onHand',
  ),
  bug(
    'a hold confirmed late is forgotten as if it had only expired',
    'stock/memory/partition-state.ts',
    'record.changedAt <= oldest.at',
    'oldest.at > 0',
    435,
  ),
];
