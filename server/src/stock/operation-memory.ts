/** What an engine may forget of operation ids and closed holds; tests narrow it. */
export interface WindowBounds {
  windowMs: number;
  countMax: number;
  keepMs: number;
  countHard: number;
}

/** How long an engine remembers an operation id and a closed hold, and how many at most. */
export const WINDOW_MS = 3_600_000;
export const WINDOW_COUNT_MAX = 1_000_000;
/** Nothing younger is forgotten, whatever the count: past `WINDOW_COUNT_HARD` commands are refused instead. */
const WINDOW_KEEP_MS = 120_000;
const WINDOW_COUNT_HARD = 8_000_000;

export const WINDOW_BOUNDS: WindowBounds = {
  windowMs: WINDOW_MS,
  countMax: WINDOW_COUNT_MAX,
  keepMs: WINDOW_KEEP_MS,
  countHard: WINDOW_COUNT_HARD,
};
