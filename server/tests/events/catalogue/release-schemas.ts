/**
 * `npm run schemas:release`, once for every release: keeps the schemas of all events as they are now, for the next ones
 * to be compared with. Refuses what is not compatible with what was kept before. Before its first release an event may
 * change as it likes: remove its file, and run this.
 */
import { eventSchemas } from '../../../src/events/catalogue/schemas.ts';
import { faultsSince, release, releasedSchemas } from './released.ts';

const faults = faultsSince(releasedSchemas(), eventSchemas());
for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exitCode = 1;
else console.log(release(eventSchemas()).join('\n'));
