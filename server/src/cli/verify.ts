/** `holdfast verify`: walks the chain and proves entries = projections = engine. Exit code 1 when they differ. */
import type { VerifyReport } from '../application.ts';
import type { Environment } from './environment.ts';
import { withInstallation } from './installation.ts';
import { type Progress, ProgressBar } from './progress.ts';

export interface VerifyOptions {
  head?: string;
  json?: boolean;
}

export async function verify(environment: Environment, { head, json }: VerifyOptions): Promise<void> {
  const bar = new ProgressBar('verifying');
  const options = head === undefined ? {} : { head };
  const report = await withInstallation<VerifyReport>(environment, {
    throughServer: (client) =>
      client.work<VerifyReport, Progress>('/api/v1/admin/maintenance/verify', options, (progress) =>
        bar.show(progress),
      ),
    onData: (application) => application.verify({ ...options, onProgress: (done, total) => bar.show({ done, total }) }),
  }).finally(() => bar.end());
  process.stdout.write(json === true ? `${JSON.stringify(report)}\n` : written(report));
  if (!report.ok) process.exitCode = 1;
}

function written(report: VerifyReport): string {
  const { ok, entries, levels, openReservations, partitions, findings } = report;
  const lines = [
    ok
      ? 'All is as it should be: entries = projections = engine.'
      : `${findings.length} ${findings.length === 1 ? 'finding' : 'findings'}:`,
    ...findings.map((finding) => `  ${finding}`),
    `entries            ${entries}`,
    `levels             ${levels}`,
    `open reservations  ${openReservations}`,
    ...partitions.map(({ partition, seq, hash }) => `head               ${partition}:${seq}:${hash}`),
  ];
  return `${lines.join('\n')}\n`;
}
