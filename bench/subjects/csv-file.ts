/** A CSV file of opening stock: every product at every store once. */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { productId, type Stock, storeId } from './stock.ts';

const ROWS_PER_WRITE = 10_000;

/** The rows of the file, in its order: store by store, as tills and warehouses export them. */
export function* stockRows({
  stores,
  products,
  quantity,
}: Stock): Generator<[storeId: string, productId: string, quantity: number]> {
  for (let store = 0; store < stores; store += 1) {
    for (let product = 0; product < products; product += 1) {
      yield [storeId(store), productId(product), 1 + ((store * 31 + product * 17) % quantity)];
    }
  }
}

export async function writeStockFile(file: string, stock: Stock): Promise<void> {
  const out = createWriteStream(file);
  let text = 'Store_ID,Product_ID,Stock_On_Hand\n';
  let rows = 0;
  for (const row of stockRows(stock)) {
    text += `${row.join(',')}\n`;
    rows += 1;
    if (rows % ROWS_PER_WRITE !== 0) continue;
    if (!out.write(text)) await once(out, 'drain');
    text = '';
  }
  out.end(text);
  await once(out, 'close');
}
