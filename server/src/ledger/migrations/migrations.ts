import type { Migration } from 'kysely/migration';
import { entries } from './0001-entries.ts';
import { masterData } from './0002-master-data.ts';
import { relayCursors } from './0003-relay-cursors.ts';
import { sharedRecording } from './0004-shared-recording.ts';
import { partitionStates } from './0005-partition-states.ts';
import { inbox } from './0006-inbox.ts';
import { deadLetters } from './0007-dead-letters.ts';
import { letterChanges } from './0008-letter-changes.ts';
import { letterKeyGroups } from './0009-letter-key-groups.ts';

/** Numbered and append-only: a released migration is never edited, a later one corrects it. */
export const migrations: Record<string, Migration> = {
  '0001-entries': entries,
  '0002-master-data': masterData,
  '0003-relay-cursors': relayCursors,
  '0006-inbox': inbox,
  '0007-dead-letters': deadLetters,
  '0008-letter-changes': letterChanges,
  '0009-letter-key-groups': letterKeyGroups,
};

/** Those of a ledger that several processes record into. */
export const sharedMigrations: Record<string, Migration> = {
  ...migrations,
  '0004-shared-recording': sharedRecording,
  '0005-partition-states': partitionStates,
};
