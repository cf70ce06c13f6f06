/** The pages whose sessions are run, grouped by server: the pages of a group follow each other on one. */
import { pagesIn } from './markdown.ts';

const COMMANDS = [
  'configure',
  'receive',
  'distribute',
  'transfer',
  'issue',
  'adjust',
  'count',
  'reserve',
  'confirm',
  'release',
  'extend',
  'expire',
  'undo',
  'answer-order',
];

/** Every page of a command, in the order in which their examples follow each other. */
export const commandPages = COMMANDS.map((command) => `docs/reference/commands/${command}.md`);

export const sessions: string[][] = [
  ['README.md'],
  ['README.ko.md'],
  ['docs/start/first-session.md', 'docs/operating/monitoring.md'],
  ...pagesIn('docs/guides').map((page) => [page]),
  ['docs/reference/README.md', ...commandPages],
];
