// Starts a server, says its process, and waits to be killed.

import { startRedis } from '../support/servers/redis.ts';

const server = await startRedis();
process.stdout.write(`${server.pid}\n`);
setInterval(() => {}, 1_000);
