/**
 * Loaded into a server's process before its own code (`node --import`): tells the benchmark how long its event loop
 * stood still, what it cost and what it holds. The server itself runs as it always does.
 */
import { isMainThread } from 'node:worker_threads';
import { serveCalls } from '../harness/child-process.ts';
import { ProcessWatch } from '../harness/sample.ts';

if (isMainThread && process.channel !== undefined) {
  const watch = new ProcessWatch();
  serveCalls(
    {
      start: () => watch.start(),
      stop: () => watch.stop(),
    },
    () => process.kill(process.pid, 'SIGTERM'),
  );
  process.channel?.unref();
}
