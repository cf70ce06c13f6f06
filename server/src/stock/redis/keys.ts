/** Keys of a partition. All of one partition share a hash tag, so a Redis Cluster keeps them on one node. */

/** Where the partition's journal stands; writing it opens an epoch. */
export function headKey(partition: number): string {
  return `{p${partition}}:head`;
}

/** What everything of one epoch begins with. */
export function epochPrefix(partition: number, epoch: number): string {
  return `{p${partition}}:e${epoch}:`;
}

export function journalKey(partition: number, epoch: number): string {
  return `${epochPrefix(partition, epoch)}journal`;
}

const EPOCH_KEY = /^\{p(\d+)\}:e(\d+):/;

/** The partition and epoch that a key belongs to; null: it is none of an epoch. */
export function epochOfKey(key: string): { partition: number; epoch: number } | null {
  const match = EPOCH_KEY.exec(key);
  return match === null ? null : { partition: Number(match[1]), epoch: Number(match[2]) };
}

/** Hears the number of a partition whose journal had nothing left to record and has now. */
export const WAKE_CHANNEL = 'holdfast:journal';
