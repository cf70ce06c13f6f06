/**
 * Servers in containers, where an engine runs. A container sees its server's folder under the same path and the network
 * of this machine, so settings, ports and data are those of a server without one; its process is found in the same way.
 */

import { spawnSync } from 'node:child_process';
import type { Command } from '../local-server.ts';
import { run } from '../programs/debian.ts';
import type { Say } from '../progress.ts';

const ENGINE = 'docker';
const ENGINE_MS_MAX = 10_000;

export const IMAGES = {
  redis: 'redis:7.2',
  mariadb: 'mariadb:10.11',
  kafka: 'apache/kafka:4.3.1',
} as const;

/** Where the image of Kafka has its jars. */
export const KAFKA_JARS_IN_IMAGE = '/opt/kafka/libs';

/**
 * Whether an engine answers whose containers share this machine's network and users: that of Docker Desktop runs in a
 * virtual machine, and a rootless one gives files to other users.
 */
export function hasEngine(): boolean {
  if (process.platform !== 'linux') return false;
  const format = '{{.OSType}}|{{.OperatingSystem}}|{{.SecurityOptions}}';
  const answer = spawnSync(ENGINE, ['info', '--format', format], { encoding: 'utf8', timeout: ENGINE_MS_MAX });
  return answer.status === 0 && /^linux\|/.test(answer.stdout) && !/Docker Desktop|rootless/.test(answer.stdout);
}

/** Fetches the images that are missing. @throws with what the engine said */
export async function ensureImages(names: (keyof typeof IMAGES)[], say: Say): Promise<void> {
  for (const image of names.map((name) => IMAGES[name])) {
    if ((await run([ENGINE, 'image', 'inspect', image])).code === 0) continue;
    say(`the image ${image} is missing: fetching it, once`);
    const { code, output } = await run([ENGINE, 'pull', image]);
    if (code === 0) continue;
    throw new Error(
      `The image ${image} cannot be fetched:\n${output}\nWithout containers: npm run infra:up -- --from packages`,
    );
  }
}

/** Makes a command run in a container that may read and write these folders, as this user. */
export function inContainer(image: string, folders: { writes: string; reads?: string }): (command: Command) => Command {
  const { writes, reads } = folders;
  const user = `${process.getuid?.()}:${process.getgid?.()}`;
  const mounts = ['-v', `${writes}:${writes}`, ...(reads === undefined ? [] : ['-v', `${reads}:${reads}:ro`])];
  // Labels of SELinux would keep the container out of the folder.
  const place = ['--network', 'host', '--user', user, '--security-opt', 'label=disable', '-w', writes];
  return ({ file, args, env = {} }) => {
    const variables = Object.entries(env).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
    return {
      file: ENGINE,
      args: ['run', '--rm', ...place, ...mounts, ...variables, '--entrypoint', file, image, ...args],
    };
  };
}
