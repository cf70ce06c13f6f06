/** How often the ledger has committed since the start, and how many entries. */
export interface Commits {
  commits: number;
  entries: number;
}

export const BATCH_METRIC = 'holdfast_record_batch_entries';

/** @param metrics in Prometheus' text format */
export function commitsOf(metrics: string): Commits {
  const value = (suffix: string) =>
    Number(new RegExp(`^${BATCH_METRIC}_${suffix} (\\S+)`, 'm').exec(metrics)?.[1] ?? 0);
  return { commits: value('count'), entries: value('sum') };
}

/** The mean size of the commits between two looks; nothing where there was none. */
export function commitNotes(before: Commits, after: Commits): Record<string, number> {
  const commits = after.commits - before.commits;
  return commits === 0 ? {} : { 'entries in a commit': (after.entries - before.entries) / commits };
}
