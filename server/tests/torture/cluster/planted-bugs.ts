/** Bugs that a hurt cluster must show. Others of the recording protocol are found by `npm run planted:cluster`. */
import type { PlantedBug } from '../../simulation/planted-bugs.ts';
import { withSourcesOf } from '../../simulation/run-planted.ts';
import { tortureCluster } from './torture-cluster.ts';

const ACKNOWLEDGEMENTS = 'recording/cluster/cluster-acknowledgements.ts';

interface ClusterBug extends PlantedBug {
  /** The faults that show it. */
  shownBy: string[];
}

export const clusterBugs: ClusterBug[] = [
  {
    name: 'callers are answered before the record',
    patches: [
      {
        file: ACKNOWLEDGEMENTS,
        find: "if (place.mark === '') return RECORDED;",
        replace: 'if (place.mark !== undefined) return RECORDED;',
      },
    ],
    shownBy: ['a lagging replica takes over'],
  },
  {
    name: 'waiters are released by number',
    patches: [
      {
        file: ACKNOWLEDGEMENTS,
        find: 'if (place.mark === mark) return answerOf',
        replace: 'if (place.seq === seq) return answerOf',
      },
    ],
    shownBy: ['a lagging replica takes over while nobody records'],
  },
];

/** What a cluster with this bug in it is found out by; null: by nothing. */
export async function firstFinding({ shownBy, ...bug }: ClusterBug): Promise<string | null> {
  return withSourcesOf(bug, async (sources) => {
    const options = { kills: 8, restores: 0, sellers: 4, onProgress: () => undefined };
    const { findings } = await tortureCluster({ ...options, only: shownBy, sources });
    return findings[0] ?? null;
  });
}
