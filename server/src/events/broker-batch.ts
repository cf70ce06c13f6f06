/** Of the values. A broker takes 1 MiB for one batch of a partition unless it is told otherwise, keys and headers included. */
export const BATCH_BYTES = 768 * 1024;

interface Batch<Message> {
  messages: readonly Message[];
  /** Where it begins; 0. */
  from?: number;
  countMax?: number;
  bytesMax?: number;
  bytesOf: (message: Message) => number;
}

/** How many of the next messages go together; one at least, however large, where there is one. */
export function fitting<Message>(batch: Batch<Message>): number {
  const { messages, from = 0, countMax = messages.length, bytesMax = BATCH_BYTES, bytesOf } = batch;
  const countLeft = Math.min(messages.length - from, countMax);
  let bytes = 0;
  for (let count = 0; count < countLeft; count += 1) {
    bytes += bytesOf(messages[from + count] as Message);
    if (count > 0 && bytes > bytesMax) return count;
  }
  return countLeft;
}
