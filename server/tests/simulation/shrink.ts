/** Leaves steps out of a failing plan for as long as the same oracle still fails (delta debugging). */
import type { Plan, Step } from './plan.ts';
import type { Result } from './simulate.ts';

const RUNS_MAX = 400;

export async function shrink(plan: Plan, oracle: string, run: (plan: Plan) => Promise<Result>): Promise<Step[]> {
  let { steps } = plan;
  let runs = 0;
  const fails = async (candidate: Step[]) => {
    runs += 1;
    const { problems } = await run({ ...plan, steps: candidate });
    return problems.some((problem) => problem.oracle === oracle);
  };
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < steps.length && runs < RUNS_MAX; ) {
      const candidate = [...steps.slice(0, start), ...steps.slice(start + size)];
      if (candidate.length < steps.length && (await fails(candidate))) steps = candidate;
      else start += size;
    }
  }
  return steps;
}
