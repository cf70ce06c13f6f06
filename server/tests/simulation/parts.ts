/**
 * The parts under test, loaded from a folder of sources: the repository's own, or a copy with a bug planted in it.
 * The oracles never use them.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export const SOURCES = join(import.meta.dirname, '../../src');

type Module<Path extends keyof Modules> = Modules[Path];

interface Modules {
  'events/event-batch.ts': typeof import('../../src/events/event-batch.ts');
  'events/relay.ts': typeof import('../../src/events/relay.ts');
  'events/sqlite/relay-cursor-store.ts': typeof import('../../src/events/sqlite/relay-cursor-store.ts');
  'ledger/sqlite/open-database.ts': typeof import('../../src/ledger/sqlite/open-database.ts');
  'ledger/sqlite/operation-index.ts': typeof import('../../src/ledger/sqlite/operation-index.ts');
  'ledger/sqlite/sqlite-ledger-store.ts': typeof import('../../src/ledger/sqlite/sqlite-ledger-store.ts');
  'projections/sqlite/history-reader.ts': typeof import('../../src/projections/sqlite/history-reader.ts');
  'projections/sqlite/image-reader.ts': typeof import('../../src/projections/sqlite/image-reader.ts');
  'projections/sqlite/open-projections.ts': typeof import('../../src/projections/sqlite/open-projections.ts');
  'projections/sqlite/projector.ts': typeof import('../../src/projections/sqlite/projector.ts');
  'recording/acknowledgements.ts': typeof import('../../src/recording/acknowledgements.ts');
  'recording/command-executor.ts': typeof import('../../src/recording/command-executor.ts');
  'recording/entry-checker.ts': typeof import('../../src/recording/entry-checker.ts');
  'recording/recorder.ts': typeof import('../../src/recording/recorder.ts');
  'recording/restore.ts': typeof import('../../src/recording/restore.ts');
  'recording/undo.ts': typeof import('../../src/recording/undo.ts');
  'stock/entry-codec.ts': typeof import('../../src/stock/entry-codec.ts');
  'stock/memory/memory-stock-engine.ts': typeof import('../../src/stock/memory/memory-stock-engine.ts');
}

const PATHS: (keyof Modules)[] = [
  'events/event-batch.ts',
  'events/relay.ts',
  'events/sqlite/relay-cursor-store.ts',
  'ledger/sqlite/open-database.ts',
  'ledger/sqlite/operation-index.ts',
  'ledger/sqlite/sqlite-ledger-store.ts',
  'projections/sqlite/history-reader.ts',
  'projections/sqlite/image-reader.ts',
  'projections/sqlite/open-projections.ts',
  'projections/sqlite/projector.ts',
  'recording/acknowledgements.ts',
  'recording/command-executor.ts',
  'recording/entry-checker.ts',
  'recording/recorder.ts',
  'recording/restore.ts',
  'recording/undo.ts',
  'stock/entry-codec.ts',
  'stock/memory/memory-stock-engine.ts',
];

export type Parts = UnionToIntersection<Module<keyof Modules>>;

type UnionToIntersection<T> = (T extends unknown ? (value: T) => void : never) extends (value: infer All) => void
  ? All
  : never;

export async function loadParts(sources = SOURCES): Promise<Parts> {
  const modules = await Promise.all(PATHS.map((path) => import(pathToFileURL(join(sources, path)).href)));
  return Object.assign({}, ...modules) as Parts;
}
