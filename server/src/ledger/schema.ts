/** The ledger's tables, for Kysely. Quantities, instants and versions are as in `stock/entry.ts`. */
export interface LedgerSchema {
  installation: { id: number; installation_id: string; created_at: number };
  entries: {
    partition_id: number;
    seq: number;
    hash: string;
    at: number;
    hq_id: string;
    operation_id: string | null;
    fingerprint: string | null;
    duplicate_of: number | null;
    type: string;
    body: string;
  };
  cursors: { partition_id: number; epoch: number; seq: number; hash: string; at: number };
}
