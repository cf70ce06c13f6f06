/** Roles and what each may do: one table, read by the routes, by the command line and by the documentation. */
export const ROLES = ['viewer', 'pos', 'service', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

const RIGHTS = {
  /** Stock, movements, reservations and events. */
  read: ['viewer', 'pos', 'service', 'operator', 'admin'],
  /** Reserve, confirm, extend and release. */
  reserve: ['pos', 'service', 'operator', 'admin'],
  /** Hand in events of orders. */
  'post-events': ['service', 'admin'],
  /** Receive, transfer, adjust, count, add and decrease. */
  'manage-stock': ['operator', 'admin'],
  /** Stores, products and the settings of levels. */
  'manage-catalog': ['operator', 'admin'],
  import: ['operator', 'admin'],
  export: ['operator', 'admin'],
  audit: ['operator', 'admin'],
  /** HQ pool → store. */
  distribute: ['admin'],
  /** Messages that could not be handled: read, corrected, redriven, dropped. */
  'dead-letters': ['admin'],
  /** Verify and rebuild the whole installation: only tokens that see every HQ. */
  maintain: ['admin'],
} as const satisfies Record<string, readonly Role[]>;

export type Right = keyof typeof RIGHTS;

export function isRole(text: unknown): text is Role {
  return (ROLES as readonly unknown[]).includes(text);
}

export function mayDo(role: Role, right: Right): boolean {
  return (RIGHTS[right] as readonly Role[]).includes(role);
}
