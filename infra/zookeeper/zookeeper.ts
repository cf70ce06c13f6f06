/** One ZooKeeper server, alone. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { LocalServer, ServerSettings } from '../local-server.ts';

const READY_MS_MAX = 60_000;
const ANSWER_MS_MAX = 2_000;
/** Debian's; its manifest names the other jars. */
export const ZOOKEEPER_JAR = '/usr/share/java/zookeeper.jar';

export interface ZookeeperOptions {
  folder: string;
  port: number;
  settings?: ServerSettings;
}

export function zookeeperServer({ folder, port, settings }: ZookeeperOptions): LocalServer {
  const settingsFile = join(folder, 'zoo.cfg');
  const lines: ServerSettings = {
    clientPortAddress: '127.0.0.1',
    clientPort: String(port),
    dataDir: join(folder, 'data'),
    tickTime: '500',
    minSessionTimeout: '1000',
    'admin.enableServer': 'false',
    '4lw.commands.whitelist': '*',
    ...settings,
  };
  const java = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', ZOOKEEPER_JAR];
  return {
    title: 'ZooKeeper',
    port,
    folder,
    settingsFile,
    logFile: join(folder, 'zookeeper.log'),
    program: 'java',
    command: { file: 'java', args: [...java, 'org.apache.zookeeper.server.ZooKeeperServerMain', settingsFile] },
    readyMsMax: READY_MS_MAX,
    async prepare() {
      mkdirSync(join(folder, 'data'), { recursive: true, mode: 0o700 });
      const text = Object.entries(lines).map(([name, value]) => `${name}=${value}\n`);
      writeFileSync(settingsFile, text.join(''), { mode: 0o600 });
    },
    async ask() {
      const answer = await askWord(port, 'srvr');
      if (!answer.includes('Mode:')) throw new Error(`ZooKeeper says ${JSON.stringify(answer.trim())}`);
    },
  };
}

/** The reply to one of ZooKeeper's four-letter words. */
function askWord(port: number, word: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(word));
    let answer = '';
    socket.setEncoding('utf8');
    socket.setTimeout(ANSWER_MS_MAX, () => socket.destroy(new Error(`no answer within ${ANSWER_MS_MAX} ms`)));
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}
