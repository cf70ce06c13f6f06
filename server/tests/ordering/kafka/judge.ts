/** What the notes of all members say. */
import type { Note } from './recording-sink.ts';

export interface Judgement {
  /** Messages that no member brought to an end, as `topic/partition:offset`. */
  lost: string[];
  /** Brought to an end more than once, though the first time had been committed, or could have been. */
  twice: string[];
  /** Brought to an end once more, because the first time was not committed: its member died, or the group forgot it. */
  again: number;
  /** Two members at one partition at the same time: what each had under way. */
  together: string[];
  /** The longest time in which no message of a partition came to its end, by partition; milliseconds. */
  pauseMsOf: Map<string, number>;
}

export interface Expected {
  /** How many messages each `topic/partition` has. */
  counts: ReadonlyMap<string, number>;
  /** Died by kill -9, and when: what it had under way ended then. */
  died: ReadonlyMap<string, number>;
  /** When the broker was killed, where the group began a new generation afterwards: else all of it is known still. */
  forgottenFrom?: number;
}

/** So long before its death a member may have had something to commit. */
const UNCOMMITTED_MS_MAX = 2_000;

export function judge(notes: readonly Note[], { counts, died, forgottenFrom = Infinity }: Expected): Judgement {
  const byPlace = Map.groupBy(notes, ({ place }) => place);
  const judgement: Judgement = { lost: [], twice: [], again: 0, together: [], pauseMsOf: new Map() };
  for (const [place, count] of counts) {
    const ofPlace = byPlace.get(place) ?? [];
    const ended = ofPlace.filter(({ end }) => end !== Infinity);
    const byOffset = Map.groupBy(ended, ({ offset }) => offset);
    for (let offset = 0; offset < count; offset += 1) {
      const times = (byOffset.get(offset) ?? []).toSorted((a, b) => a.begin - b.begin);
      const of = `${place}:${offset}`;
      if (times.length === 0) judgement.lost.push(of);
      if (times.length < 2) continue;
      const mayComeAgain = ({ member, end }: Note) => end > (died.get(member) ?? forgottenFrom) - UNCOMMITTED_MS_MAX;
      if (times.slice(0, -1).every(mayComeAgain)) judgement.again += 1;
      else judgement.twice.push(`${of} by ${times.map(({ member }) => member).join(', then ')}`);
    }
    judgement.together.push(...togetherAt(place, ofPlace, died));
    const ends = ended.map(({ end }) => end).toSorted((a, b) => a - b);
    const pauses = ends.slice(1).map((end, index) => end - (ends[index] as number));
    judgement.pauseMsOf.set(place, Math.max(0, ...pauses));
  }
  return judgement;
}

/** Messages of one partition that were under way while another member had one of the same partition. */
function togetherAt(place: string, notes: readonly Note[], died: ReadonlyMap<string, number>): string[] {
  const found: string[] = [];
  const sorted = notes.toSorted((a, b) => a.begin - b.begin);
  let longest: Note | null = null;
  const endOf = ({ member, end }: Note) => Math.min(end, died.get(member) ?? Infinity);
  for (const note of sorted) {
    if (longest !== null && longest.member !== note.member && note.begin < endOf(longest)) {
      const both = `${longest.member} (${longest.offset}) and ${note.member} (${note.offset})`;
      found.push(`${place}: ${both} for ${Math.round(Math.min(endOf(note), endOf(longest)) - note.begin)} ms`);
    }
    if (longest === null || endOf(note) > endOf(longest)) longest = note;
  }
  return found;
}
