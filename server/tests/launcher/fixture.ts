// What the launcher runs in launcher.test.ts. The first argument says how to behave; it prints what happens to it.

import { writeSync } from 'node:fs';

const [behaviour, ...rest] = process.argv.slice(2);
const say = (text: string) => writeSync(1, `${text}\n`);

function countSignals(): void {
  let count = 0;
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => {
      count += 1;
      try {
        say(signal);
      } catch {
        // The reader is gone with the launcher.
      }
      // Long enough for a second one to show.
      if (count === 1) setTimeout(() => process.exit(count === 1 ? 7 : 9), 600);
    });
  }
}

switch (behaviour) {
  case 'echo':
    say(JSON.stringify(rest));
    process.exitCode = 5;
    break;
  case 'count-signals':
    countSignals();
    setInterval(() => {}, 1_000);
    say('listening');
    break;
  case 'wait':
    setInterval(() => {}, 1_000);
    say('listening');
    break;
  case 'listen-for-disconnect':
    process.on('SIGTERM', () => process.exit(1));
    process.on('disconnect', () => {
      setTimeout(() => {
        say('drained');
        process.exit(0);
      }, 300);
    });
    setInterval(() => {}, 1_000);
    say('listening');
    break;
  default:
    throw new Error(`no behaviour ${behaviour}`);
}
