import type { Role } from './roles.ts';

/** Who asks, as the token says. */
export interface Caller {
  subject: string;
  role: Role;
  /** Null: sees every HQ. */
  hqId: string | null;
  /** Null: sees every store of its HQ. */
  storeId: string | null;
  /** Epoch milliseconds. */
  expiresAt: number;
}
