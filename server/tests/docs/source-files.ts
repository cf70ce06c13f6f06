import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './markdown.ts';

/** Every TypeScript file below a folder, with its text. */
export function sourceFiles(folder: string): { path: string; text: string }[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path: join(folder, path), text: readFileSync(join(root, folder, path), 'utf8') }));
}
