/** What the pages of internals point at is there. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codesOf, pagesIn, readPage, root } from './markdown.ts';
import { sourceFiles } from './source-files.ts';

const pages = [...pagesIn('docs/internals'), 'CONTRIBUTING.md'];
const sources = sourceFiles('server/src').map(({ path }) => path);

describe('internals', () => {
  it.each(pages)('%s names files and folders that exist', (page) => {
    const named = codesOf(readPage(page)).filter((code) => /^[\w./-]+(\.ts|\/)$/.test(code));
    const missing = named.filter((code) => {
      const folder = code.endsWith('/');
      if (existsSync(join(root, code)) || existsSync(join(root, 'server', code))) return false;
      const found = sources.some((path) => (folder ? path.includes(`/${code}`) : path.endsWith(`/${code}`)));
      return !found;
    });
    expect(missing).toEqual([]);
  });

  it('tells planted bugs by their names', () => {
    const planted = readPage('server/tests/simulation/planted-bugs.ts');
    const named = [...readPage('docs/internals/recording.md').matchAll(/planted: \*([^*]+)\*/g)].map(
      ([, name]) => name,
    );
    expect(named.length).toBeGreaterThan(0);
    for (const name of named) expect(planted).toContain(`'${name}'`);
  });

  it('names only scripts that package.json has', () => {
    const { scripts } = JSON.parse(readPage('package.json')) as { scripts: Record<string, string> };
    const texts = [...pages, ...pagesIn('docs/operating'), ...pagesIn('docs/start'), 'README.md']
      .map(readPage)
      .join('\n');
    const named = [...texts.matchAll(/npm run (?:--silent )?([\w:]+)/g)].map(([, name]) => name as string);
    expect([...new Set(named)].filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});
