import type { BenchContext, Contender } from './benchmark.ts';
import { showRate } from './format.ts';
import { type Sample, type Summary, summarise } from './sample.ts';

/**
 * Measures all contenders in turn, round by round, the order reversed every other round: what changes on the machine
 * meanwhile meets them all alike.
 */
export async function interleave(context: BenchContext, contenders: readonly Contender[]): Promise<Summary[]> {
  const samples = new Map<Contender, Sample[]>(contenders.map((contender) => [contender, []]));
  for (let round = 1; round <= context.options.rounds; round += 1) {
    const order = round % 2 === 1 ? contenders : contenders.toReversed();
    for (const contender of order) {
      const sample = await contender.measure(round);
      samples.get(contender)?.push(sample);
      context.tell(
        `round ${round} of ${context.options.rounds}  ${showRate(sample.perSecond)} ${contender.unit}/s  ${contender.name}`,
      );
    }
  }
  return contenders.map((contender) => summarise(contender.name, contender.unit, samples.get(contender) ?? []));
}

/** The summary of the contender at this place. */
export function at(summaries: readonly Summary[], index: number): Summary {
  const summary = summaries[index];
  if (summary === undefined) throw new Error(`there is no contender ${index}`);
  return summary;
}
