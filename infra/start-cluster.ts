// `npm run start:cluster`: the local servers, if they do not run yet, then Holdfast in cluster mode on them. The servers
// stay when it ends.

import { join } from 'node:path';
import { readEnvironment } from './installation.ts';
import { up } from './local-servers.ts';
import { say } from './progress.ts';

const root = join(import.meta.dirname, '..');

try {
  await up(root, { extras: [] }, say);
} catch (error) {
  say((error as Error).message);
  process.exit(1);
}
// Where the servers are is not for the caller's environment to say, which may be that of another program; nor how they
// are spoken to.
const OTHERS =
  /^(REDIS_HOST|REDIS_SENTINELS|SPRING_KAFKA_BOOTSTRAP_SERVERS|KAFKA_(SASL_MECHANISM|USERNAME|PASSWORD)|(REDIS|DB|KAFKA)_TLS(_.*)?)$/;
for (const name of Object.keys(process.env).filter((each) => OTHERS.test(each))) delete process.env[name];
Object.assign(process.env, readEnvironment(root));
const program = join(root, 'server', 'src', 'main.ts');
process.argv = [process.execPath, program, 'serve', ...process.argv.slice(2)];
await import('../server/src/main.ts');
