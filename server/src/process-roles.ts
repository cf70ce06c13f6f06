/** What a process of a cluster does; embedded, one process does it all. */
export const PROCESS_ROLES = ['api', 'recorder', 'projector', 'relay', 'consumers', 'scheduler'] as const;
export type ProcessRole = (typeof PROCESS_ROLES)[number];
