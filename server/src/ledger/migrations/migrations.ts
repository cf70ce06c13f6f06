import type { Migration } from 'kysely/migration';
import { entries } from './0001-entries.ts';

/** Numbered and append-only: a released migration is never edited, a later one corrects it. */
export const migrations: Record<string, Migration> = {
  '0001-entries': entries,
};
