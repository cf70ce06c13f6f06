/** Opens the installation that the environment names: in a data folder of its own, or on the servers of a cluster. */
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { RunningApplication } from '../application.ts';
import type { ClusterConfiguration } from './cluster-configuration.ts';
import type { Configuration } from './configuration.ts';
import type { Environment } from './environment.ts';
import { tokenKey } from './token.ts';

export interface InstallationOptions {
  configuration: Configuration;
  /** Null when it is embedded. */
  cluster: ClusterConfiguration | null;
  log: Logger;
  /** Called when the process must end, because its disk cannot be believed or its ledger is no longer its own. */
  onFatal: (reason: string) => void;
}

/** The adapters of the other mode are not loaded. */
export async function openInstallation(
  environment: Environment,
  { configuration, cluster, log, onFatal }: InstallationOptions,
): Promise<RunningApplication> {
  const { dataFolder, earlyEventWaitMs } = configuration;
  if (cluster === null)
    return (await import('../compose.ts')).openApplication({
      dataFolder,
      log,
      onFatal,
      earlyEventWaitMs,
    });
  const { openClusterNode } = await import('../compose-cluster.ts');
  return openClusterNode({
    ...cluster,
    tokenKey: tokenKey(environment),
    spoolFolder: join(dataFolder, 'imports'),
    log,
  });
}
