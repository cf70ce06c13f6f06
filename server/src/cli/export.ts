/** `holdfast export`: levels or movements of an HQ as CSV, on stdout or into a file. */
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { exportMovements, exportStock } from '../catalog/export/export-csv.ts';
import type { Environment } from './environment.ts';
import { withInstallation } from './installation.ts';

export type ExportKind = 'stock' | 'movements';

export interface ExportOptions {
  hq: string;
  store?: string;
  output?: string;
}

export async function exportCsv(
  environment: Environment,
  kind: ExportKind,
  { hq, store, output }: ExportOptions,
): Promise<void> {
  const write = async (source: AsyncIterable<unknown>) => {
    const target = output === undefined ? process.stdout : createWriteStream(output);
    await pipeline(Readable.from(source), target, { end: output !== undefined });
  };
  const query = new URLSearchParams({ hqId: hq, ...(store === undefined ? {} : { storeId: store }) });
  const place = { hqId: hq, ...(store === undefined ? {} : { storeId: store }) };
  await withInstallation(environment, {
    throughServer: async (client) => {
      const response = await client.get(`/api/v1/admin/export/${kind}?${query}`);
      await write(response.body as unknown as AsyncIterable<Uint8Array>);
    },
    onData: ({ history }) => write(kind === 'stock' ? exportStock(history, place) : exportMovements(history, place)),
  });
}
