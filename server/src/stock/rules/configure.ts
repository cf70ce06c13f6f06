import type { ConfigureCommand, ConfigureLevel } from '../commands.ts';
import type { Read } from '../entry.ts';
import { type Ruling, staleVersion, succeed } from './ruling.ts';

/** Settings always apply; those of a level are a line of it, so that its version moves and history shows them. */
export function configure(command: ConfigureCommand, read: Read): Ruling {
  if (command.type !== 'configure-level') return succeed({ status: 'done' }, []);
  return staleVersion(read, command.expectedVersion) ?? configureLevel(command, read);
}

function configureLevel(command: ConfigureLevel, read: Read): Ruling {
  const fallback = read.settings?.fallback;
  if (fallback === undefined) throw new Error('a level is configured against its defaults, which were not read');
  const settings = {
    safetyStock: command.settings.safetyStock ?? fallback.safetyStock ?? 0,
    lowThreshold: command.settings.lowThreshold ?? fallback.lowThreshold,
  };
  return succeed({ status: 'done' }, [{ level: 0, onHandChange: 0, reservedChange: 0, settings }]);
}
