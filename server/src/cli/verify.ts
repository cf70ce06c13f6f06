/** `holdfast verify`: walks the chain and proves entries = projections = engine. Exit code 1 when they differ. */
import type { Command } from 'commander';
import type { VerifyReport } from '../application.ts';
import type { Environment } from './configuration.ts';
import { withInstallation } from './installation.ts';
import { type Progress, ProgressBar } from './progress.ts';

interface VerifyOptions {
  head?: string;
  json?: boolean;
}

export function addVerifyCommand(program: Command, environment: Environment): void {
  program
    .command('verify')
    .description('walk the chain of entries and prove that projections and engine agree with it')
    .option('--head <partition:seq:hash>', 'a head that was written down elsewhere: the chain must run through it')
    .option('--json', 'print the report as JSON')
    .action((options: VerifyOptions) => verify(environment, options));
}

async function verify(environment: Environment, { head, json }: VerifyOptions): Promise<void> {
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
    ok ? 'All is as it should be: entries = projections = engine.' : `${findings.length} findings:`,
    ...findings.map((finding) => `  ${finding}`),
    `entries            ${entries}`,
    `levels             ${levels}`,
    `open reservations  ${openReservations}`,
    ...partitions.map(({ partition, seq, hash }) => `head               ${partition}:${seq}:${hash}`),
  ];
  return `${lines.join('\n')}\n`;
}
