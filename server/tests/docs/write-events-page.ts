/** `node server/tests/docs/write-events-page.ts` writes `docs/reference/events.md` anew from the catalogue. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventsPage } from './events-page.ts';
import { root } from './markdown.ts';

writeFileSync(join(root, 'docs/reference/events.md'), eventsPage());
