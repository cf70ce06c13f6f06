import { beforeEach, expect, it } from 'vitest';
import { EntriesAhead } from '../../src/events/mariadb/entries-ahead.ts';
import type { StoredEntry } from '../../src/ledger/ledger.ts';
import type { EntriesWanted } from '../../src/ledger/mariadb/entry-reads.ts';

const LIMIT = 3;

let recorded: number;
let reads: string[];
let sizes: (number | undefined)[];
let failure: Error | null;
let now: number;
let backlog: EntriesAhead;

beforeEach(() => {
  recorded = 7;
  reads = [];
  sizes = [];
  failure = null;
  now = 0;
  backlog = new EntriesAhead({ read, limit: LIMIT, clock: () => now });
});

async function read({ partition, afterSeq, limit, charactersEach }: EntriesWanted): Promise<StoredEntry[]> {
  reads.push(`${partition}:${afterSeq}`);
  sizes.push(charactersEach);
  if (failure !== null) throw failure;
  const count = Math.max(0, Math.min(limit, recorded - afterSeq));
  return Array.from({ length: count }, (_, index) => ({
    partition,
    seq: afterSeq + index + 1,
    hash: '',
    body: '12345678',
  }));
}

async function seqsAfter(partition: number, afterSeq: number): Promise<number[]> {
  return (await backlog.after(partition, afterSeq)).map(({ seq }) => seq);
}

it('reads what follows before it is asked for, once', async () => {
  recorded = 100;
  expect(await seqsAfter(1, 0)).toEqual([1, 2, 3]);
  expect(reads).toEqual(['1:0', '1:3', '1:6', '1:9']);
  expect(await seqsAfter(1, 3)).toEqual([4, 5, 6]);
  expect(reads.slice(4)).toEqual(['1:12']);
  expect(await seqsAfter(1, 6)).toEqual([7, 8, 9]);
  expect(reads.slice(5)).toEqual(['1:15']);
});

it('reads nothing ahead where the ledger ends', async () => {
  recorded = 2;
  expect(await seqsAfter(1, 0)).toEqual([1, 2]);
  expect(await seqsAfter(1, 2)).toEqual([]);
  expect(reads).toEqual(['1:0', '1:2']);
});

it('looks again behind what ended at the end of the ledger when it was read', async () => {
  recorded = 4;
  await seqsAfter(1, 0);
  recorded = 9;
  expect(await seqsAfter(1, 3)).toEqual([4]);
  expect(await seqsAfter(1, 4)).toEqual([5, 6, 7]);
  expect(await seqsAfter(1, 7)).toEqual([8, 9]);
});

it('looks again where there was nothing when it read ahead', async () => {
  recorded = 3;
  await seqsAfter(1, 0);
  recorded = 4;
  expect(await seqsAfter(1, 3)).toEqual([4]);
});

it('says how large the entries are once it has seen some', async () => {
  await seqsAfter(1, 0);
  expect(sizes).toEqual([undefined, 8, 8, 8]);
});

it('keeps partitions apart', async () => {
  await seqsAfter(1, 0);
  reads = [];
  expect(await seqsAfter(2, 3)).toEqual([4, 5, 6]);
  expect(await seqsAfter(1, 3)).toEqual([4, 5, 6]);
  expect(reads).toEqual(['2:3', '2:6', '2:9', '2:12', '1:12']);
});

it('reads anew from elsewhere', async () => {
  await seqsAfter(1, 0);
  expect(await seqsAfter(1, 2)).toEqual([3, 4, 5]);
  expect(await seqsAfter(1, 3)).toEqual([4, 5, 6]);
});

it('reads nothing ahead for one that uses a part of each read, until it uses a whole one', async () => {
  recorded = 100;
  await seqsAfter(1, 0);
  reads = [];
  await seqsAfter(1, 2);
  await seqsAfter(1, 4);
  expect(reads).toEqual(['1:2', '1:4']);
  await seqsAfter(1, 7);
  expect(reads.slice(2)).toEqual(['1:7', '1:10', '1:13', '1:16']);
});

it('believes nothing that it read long ago: the ledger may have been put back since', async () => {
  await seqsAfter(1, 0);
  recorded = 4;
  now = 1_001;
  expect(await seqsAfter(1, 3)).toEqual([4]);
});

it('tells who asks of a failure, and reads again for the next', async () => {
  recorded = 100;
  await seqsAfter(1, 0);
  failure = new Error('the database is away');
  await seqsAfter(1, 3);
  await seqsAfter(1, 6);
  await seqsAfter(1, 9);
  await expect(backlog.after(1, 12)).rejects.toThrow('the database is away');
  failure = null;
  expect(await seqsAfter(1, 12)).toEqual([13, 14, 15]);
});
