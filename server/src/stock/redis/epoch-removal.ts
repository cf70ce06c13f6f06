/** Removes what earlier epochs left behind, in small steps: the keys of a million levels are not removed in one. */
import type { SharedHead } from '../shared-engine.ts';
import { epochOfKey, epochPrefix, headKey } from './keys.ts';
import type { RedisConnection, RedisNode } from './redis-connection.ts';

const KEYS_PER_STEP = '500';

/** Removes the keys of all epochs before the one that is open, of every partition. */
export async function removeOldEpochs(connection: RedisConnection): Promise<void> {
  const opened = new Map<number, number>();
  await eachEpochKey(connection, async (keys) => {
    const old: { partition: number; key: string }[] = [];
    for (const { partition, epoch, key } of keys) {
      if (!opened.has(partition)) opened.set(partition, await openEpoch(connection, partition));
      if (epoch < (opened.get(partition) as number)) old.push({ partition, key });
    }
    return old;
  });
}

/** Removes what carries these very epochs: a ledger that went back counts some of them again. */
export async function removeEpoch(connection: RedisConnection, heads: readonly SharedHead[]): Promise<void> {
  const used: SharedHead[] = [];
  for (const head of heads) {
    const reply = await connection.send(headKey(head.partition), ['SET', begunKey(head), '1', 'NX']);
    if (reply === null) used.push(head);
  }
  if (used.length === 0) return;
  await eachEpochKey(connection, async (keys) =>
    keys.filter((found) => used.some((head) => isOf(found, head) && found.key !== begunKey(head))),
  );
}

/** Tells that somebody has begun to fill the epoch. */
function begunKey({ partition, epoch }: SharedHead): string {
  return `${epochPrefix(partition, epoch)}begun`;
}

function isOf(key: EpochKey, head: SharedHead): boolean {
  return key.partition === head.partition && key.epoch === head.epoch;
}

interface EpochKey {
  partition: number;
  epoch: number;
  key: string;
}

/** An epoch only grows, so one that was read earlier is at worst too low. */
async function openEpoch(connection: RedisConnection, partition: number): Promise<number> {
  const key = headKey(partition);
  return Number(await connection.send(key, ['HGET', key, 'epoch']));
}

/** Walks over all keys of epochs and unlinks those that `choose` returns. */
async function eachEpochKey(
  connection: RedisConnection,
  choose: (keys: EpochKey[]) => Promise<{ partition: number; key: string }[]>,
): Promise<void> {
  for (const node of await connection.masters()) {
    for await (const names of scan(node)) {
      const keys = names.flatMap((key) => {
        const place = epochOfKey(key);
        return place === null ? [] : [{ ...place, key }];
      });
      const chosen = await choose(keys);
      await Promise.all(
        [...Map.groupBy(chosen, ({ partition }) => partition)].map(([partition, group]) =>
          connection.send(headKey(partition), ['UNLINK', ...group.map(({ key }) => key)]),
        ),
      );
    }
  }
}

async function* scan(node: RedisNode): AsyncGenerator<string[]> {
  let cursor = '0';
  do {
    const [next, keys] = (await node.send(['SCAN', cursor, 'MATCH', '{p*}:e*', 'COUNT', KEYS_PER_STEP])) as [
      string,
      string[],
    ];
    yield keys;
    cursor = next;
  } while (cursor !== '0');
}
