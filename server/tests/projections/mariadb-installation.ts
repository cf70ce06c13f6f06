/** An installation whose ledger and projections are in MariaDB; its engine and recorder are those of one process. */
import { createConnection, type UpsertResult } from 'mariadb';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { MariadbLedger } from '../../src/ledger/mariadb/mariadb-ledger.ts';
import type { MariadbAccess } from '../../src/ledger/mariadb/mariadb-pool.ts';
import type { SharedRecord } from '../../src/ledger/shared-ledger.ts';
import { openMariadbProjections } from '../../src/projections/mariadb/mariadb-projections.ts';
import type { ProjectionLog, Projections } from '../../src/projections/projections.ts';
import type { KnownHead, LedgerProof } from '../../src/reconciliation/ledger-proof.ts';
import { MariadbLedgerProof } from '../../src/reconciliation/mariadb/mariadb-ledger-proof.ts';
import type { Acknowledgements } from '../../src/recording/acknowledgements.ts';
import { Installation } from './installation.ts';

type Values = (string | number | null)[];

export class MariadbInstallation extends Installation {
  readonly access: MariadbAccess;
  /** Whether it projects by itself, from its next start on. */
  projects = true;

  /** `access`: of an empty database, or of one that another installation left. */
  constructor(access: MariadbAccess) {
    super();
    this.access = access;
  }

  protected override async openLedger(): Promise<Ledger> {
    const ledger = await MariadbLedger.open(this.access);
    const record = ledger.record.bind(ledger);
    // The journal of a single process gives its entries no names.
    ledger.record = (records: readonly SharedRecord[]) =>
      record(
        records.map(({ head, entries }) => ({
          head,
          entries: entries.map((row) => ({ ...row, mark: `${head.epoch}-${row.seq}` })),
        })),
      );
    return ledger;
  }

  protected override openProjections(
    ledger: Ledger,
    _acknowledgements: Acknowledgements,
    log: ProjectionLog,
  ): Promise<Projections> {
    const recordedSeq = async (partition: number) => {
      const [head] = await (ledger as MariadbLedger).headsOf([partition]);
      return head?.seq ?? 0;
    };
    return openMariadbProjections({ access: this.access, projects: this.projects, ledger, recordedSeq, log });
  }

  protected override openProof(knownHead: KnownHead | null): LedgerProof {
    return new MariadbLedgerProof(this.access, knownHead);
  }

  override async projected(): Promise<void> {
    for (const { partition, seq } of await this.running.ledger.heads()) {
      if (seq > 0) await this.projections.store.waitFor(partition, seq, 10_000);
    }
  }

  /** A statement past everybody, as somebody with the database's password would do it. */
  async sql<T>(sql: string, ...values: Values): Promise<T> {
    const connection = await createConnection({ ...this.access, bigIntAsNumber: true, insertIdAsNumber: true });
    try {
      return await connection.query<T>(sql, values);
    } finally {
      await connection.end();
    }
  }

  /** The tables that are read, by their names without generations. */
  async tables(): Promise<(table: string) => string> {
    const rows = await this.sql<{ name: string; generation: number }[]>(
      "select name, generation from projections where state = 'serving'",
    );
    return (table) => {
      const projection = { counts: 'movements', movement_references: 'movements' }[table] ?? table.split('_').at(-1);
      return `projection_${table}_${rows.find(({ name }) => name === projection)?.generation}`;
    };
  }

  /** A statement that names tables as `{levels}`; it must find something to change. */
  async change(sql: string, ...values: Values): Promise<void> {
    const { affectedRows } = await this.sql<UpsertResult>(await this.#named(sql), ...values);
    if (affectedRows === 0) throw new Error(`nothing was changed by ${sql}`);
  }

  /** Rows of a statement that names tables as `{levels}`. */
  async read<T>(sql: string, ...values: Values): Promise<T[]> {
    return await this.sql<T[]>(await this.#named(sql), ...values);
  }

  async #named(sql: string): Promise<string> {
    const tables = await this.tables();
    return sql.replaceAll(/\{(\w+)\}/g, (_, table: string) => tables(table));
  }
}
