/** `holdfast rebuild`: builds a projection (or all) anew from the entries, while serving, then switches. */
import type { RebuildReport } from '../application.ts';
import type { Environment } from './environment.ts';
import { withInstallation } from './installation.ts';
import { type Progress, ProgressBar } from './progress.ts';

export async function rebuild(environment: Environment, projection: string | undefined): Promise<void> {
  const bar = new ProgressBar('rebuilding');
  const body = projection === undefined ? {} : { projection };
  const report = await withInstallation<RebuildReport>(environment, {
    throughServer: (client) =>
      client.work<RebuildReport, Progress>('/api/v1/admin/maintenance/rebuild', body, (progress) => bar.show(progress)),
    onData: (application) => application.rebuild(projection ?? null, (done, total) => bar.show({ done, total })),
  }).finally(() => bar.end());
  const { projections, entries, durationMs } = report;
  process.stdout.write(`Built ${projections.join(', ')} from ${entries} entries in ${Math.round(durationMs)} ms.\n`);
}
