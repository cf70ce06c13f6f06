/** What is written into a lock: `{nodeId}:{timestamp}:{requestId}`, who took it, when and for which request. */
export interface LockValue {
  nodeId: string;
  /** Epoch ms. */
  timestampMs: number;
  requestId: string;
}

const NODE_ID = /^[A-Za-z0-9._-]{1,64}$/;
const WRITTEN = /^([^:]+):(\d+):(.+)$/;

/** @throws RangeError for a node id that is not 1 to 64 characters of `A-Z a-z 0-9 . _ -`. */
export function writeLockValue({ nodeId, timestampMs, requestId }: LockValue): string {
  if (!NODE_ID.test(nodeId)) {
    throw new RangeError(`${JSON.stringify(nodeId)} is no node id: 1 to 64 characters of A-Z a-z 0-9 . _ -`);
  }
  return `${nodeId}:${timestampMs}:${requestId}`;
}

/** Null for a text that is no such value. */
export function readLockValue(text: string): LockValue | null {
  const match = WRITTEN.exec(text);
  if (match === null) return null;
  const [, nodeId = '', timestamp, requestId = ''] = match;
  return { nodeId, timestampMs: Number(timestamp), requestId };
}
