/**
 * Bugs that the suites of this folder must find: each is planted in a copy of the sources, and the test that is named
 * must fail there. A piece of text that is not there exactly once is an error, so that no bug is planted nowhere.
 */
export interface PlantedBug {
  name: string;
  /** Below `server/`. */
  file: string;
  find: string;
  replace: string;
  suite: string;
  /** What the names of the tests that must fail have in common. */
  tests: string;
}

const CLUSTER = 'src/recording/cluster';
const RECORDER = `${CLUSTER}/cluster-recorder.ts`;
const ACKNOWLEDGEMENTS = `${CLUSTER}/cluster-acknowledgements.ts`;
const REBUILD = `${CLUSTER}/partition-rebuild.ts`;
const QUEUE = `${CLUSTER}/commit-queue.ts`;

export const plantedBugs: PlantedBug[] = [
  {
    name: 'sequence numbers only: the entry of the head itself is not compared',
    file: 'tests/recording/cluster/support/shared-memory-engine.ts',
    find: 'if (own !== head.mark) return lost',
    replace: 'if (own === null) return lost',
    suite: 'cluster-recorder',
    tests: 'rule 8: an engine put back',
  },
  {
    name: 'waiters are released by number',
    file: ACKNOWLEDGEMENTS,
    find: 'if (place.mark === mark) return answerOf',
    replace: 'if (place.seq === seq) return answerOf',
    suite: 'cluster-acknowledgements',
    tests: 'rule 12: another entry under its number',
  },
  {
    name: 'answers from the window before the record',
    file: ACKNOWLEDGEMENTS,
    find: "if (place.mark === '') return RECORDED;",
    replace: 'if (place.seq <= this.recordedSeq(place.partition) + 1) return RECORDED;',
    suite: 'cluster-recorder',
    tests: 'rule 4',
  },
  {
    name: 'a batch is sent behind one that is not done',
    file: QUEUE,
    find: 'if (this.#committing !== null || this.#gathered.size === 0) return;',
    replace: 'if (this.#gathered.size === 0) return;',
    suite: 'cluster-recorder',
    tests: 'rule 10: the next batch is read and checked meanwhile',
  },
  {
    name: 'what was read behind a batch that failed is recorded all the same',
    file: QUEUE,
    find: 'return owned.generation === generation;',
    replace: 'return owned.generation >= generation;',
    suite: 'cluster-recorder',
    tests: 'rule 10: what was read behind a batch',
  },
  {
    name: 'callers are told before the commit',
    file: QUEUE,
    find: 'const result = await this.#record(sent);',
    replace:
      'this.#recorded(sent, sent.map(({ record: { head } }) => head), 0); const result = await this.#record(sent);',
    suite: 'cluster-recorder',
    tests: 'rule 10: the next batch is read and checked meanwhile',
  },
  {
    name: 'a commit whose answer is lost is taken for a failed one, and its callers for discarded',
    file: ACKNOWLEDGEMENTS,
    find: '(now - sinceMs >= ANSWER_MS_MAX ? UNKNOWN : null)',
    replace: '(now - sinceMs >= 300 ? DISCARDED : null)',
    suite: 'cluster-acknowledgements',
    tests: 'rule 13: with the database away',
  },
  {
    name: 'levels are not held against what was recorded',
    file: 'src/recording/entry-checker.ts',
    find: 'if (known === undefined || sameLevel(known, level)) continue;',
    replace: 'if (known !== null) continue;',
    suite: 'cluster-recorder',
    tests: 'rule 9: a level changed by hand',
  },
  {
    name: 'the rules are not asked again',
    file: 'src/recording/entry-checker.ts',
    find: 'this.#checkRuling(entry, rulingOf(entry));',
    replace: 'void rulingOf;',
    suite: 'cluster-recorder',
    tests: 'rule 9: a script that differs',
  },
  {
    name: 'thresholds are not compared',
    file: 'src/recording/entry-checker.ts',
    find: '(known.lowThreshold === undefined || known.lowThreshold === read.lowThreshold) &&',
    replace: '',
    suite: 'cluster-recorder',
    tests: 'rule 9: another threshold',
  },
  {
    name: 'a recorder that takes over knows only what is projected',
    file: `${CLUSTER}/recollection.ts`,
    find: 'for (let reached = seq; reached < headSeq; ) {',
    replace: 'for (let reached = headSeq; reached < headSeq; ) {',
    suite: 'cluster-recorder',
    tests: 'rule 9: it knows what was recorded and not projected',
  },
  {
    name: 'what is not projected is forgotten',
    file: `${CLUSTER}/projected-stock.ts`,
    find: 'mayForget: (reached: number) => reached <= this.#projected',
    replace: 'mayForget: (reached: number) => reached >= 0',
    suite: 'projected-stock',
    tests: 'rule 9: keeps more',
  },
  {
    name: 'an undo that a crash prevented is not repeated',
    file: RECORDER,
    find: 'await this.#repeatUndos(numbers);',
    replace: 'void this.#repeatUndos;',
    suite: 'quarantine',
    tests: 'rule 14: is undone by the next recorder',
  },
  {
    name: 'rebuild without the SQL fence',
    file: REBUILD,
    find: 'return this.#fill(await ledger.openEpoch(heads));',
    replace: 'return this.#fill(heads.map((head) => ({ ...head, epoch: head.epoch + 1 })));',
    suite: 'quarantine',
    tests: 'rule 15: a recorder of the old epoch',
  },
  {
    name: 'rebuilds follow each other without a pause',
    file: REBUILD,
    find: 'return count === 0 ? 0 : Math.min',
    replace: 'return count >= 0 ? 0 : Math.min',
    suite: 'quarantine',
    tests: 'rule 15: a filling that fails',
  },
  {
    name: 'poison is rebuilt for ever',
    file: REBUILD,
    find: 'if (rejections <= poisonRebuildsMax) return null;',
    replace: 'if (rejections >= 0) return null;',
    suite: 'quarantine',
    tests: 'rule 16: comes too often',
  },
  {
    name: 'a newer version is poison',
    file: 'src/recording/entry-checker.ts',
    find: 'if (entry.version > ENTRY_VERSION) throw new EntryVersionUnknown(entry);',
    replace: '',
    suite: 'quarantine',
    tests: 'rule 16: of a version',
  },
  {
    name: 'a ledger that went back is believed',
    file: ACKNOWLEDGEMENTS,
    find: 'return head.epoch < seen.epoch || head.seq < seen.seq;',
    replace: 'return head.epoch < seen.epoch && head.seq > seen.seq;',
    suite: 'quarantine',
    tests: 'rule 17: found within a second',
  },
  {
    name: 'the engine is no witness',
    file: RECORDER,
    find: 'if (head !== undefined && isBehind(head, { epoch, seq }))',
    replace: 'if (head === undefined)',
    suite: 'quarantine',
    tests: 'rule 17: the engine is a witness',
  },
];
