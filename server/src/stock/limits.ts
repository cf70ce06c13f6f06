/** The bounds of a command. Each is part of the wire contract (`docs/reference/limits.md`). */
export const PARTITION_COUNT = 64;

export const QUANTITY_MAX = 1_000_000;
export const LINES_MAX = 500;
export const ID_LENGTH_MAX = 64;
export const OPERATION_ID_LENGTH_MAX = 128;
export const TEXT_LENGTH_MAX = 500;

export const TTL_MS_MIN = 1_000;
export const TTL_MS_MAX = 3_600_000;
export const TTL_MS_DEFAULT = 300_000;

/** No level may pass this, so that sums over an HQ stay exact integers in a double. */
export const ON_HAND_MAX = 1_000_000_000_000;

/** Due holds of one HQ that one expiry entry closes. */
export const EXPIRE_BATCH_MAX = 100;

/** The store id of the HQ pool: goods received and not yet distributed. */
export const HQ_POOL = 'HQ';
