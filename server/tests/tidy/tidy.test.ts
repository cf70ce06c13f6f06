// The rules of this repository that no compiler and no linter checks. Each failure names file and line.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { deadExports } from './dead-exports.ts';
import { adapterImports, impureRules, missingTargets, outwardImports } from './dependency-direction.ts';
import { FILE_LINES_MAX, FUNCTION_LINES_MAX, longFiles, longFunctions } from './sizes.ts';
import { isParsed, leftBehind, parse, pathsIn, readTexts, type SourceFile } from './source-tree.ts';
import { brokenLinks, registryHosts, unfinished } from './texts.ts';

const root = join(import.meta.dirname, '../../..');
const exists = (path: string) => existsSync(join(root, path));
const paths = pathsIn(root);
const files = readTexts(root, paths);
const sources = files.filter(isParsed).map(parse);

function none(problems: string[]): void {
  if (problems.length > 0) expect.fail(`${problems.length} found:\n${problems.join('\n')}\n`);
}

describe('the tree', () => {
  it('was read', () => {
    expect(sources.map((file) => file.path)).toContain('server/tests/tidy/tidy.test.ts');
    expect(sources.some((file) => file.path.startsWith('server/src/'))).toBe(true);
  });

  it('points dependencies inward', () => none(outwardImports(sources)));
  it('leaves the choice of adapters to compose.ts', () => none(adapterImports(sources)));
  it('keeps the rules of stock pure', () => none(impureRules(sources)));
  it('imports files that exist', () => none(missingTargets(sources, exists)));
  it(`has no function over ${FUNCTION_LINES_MAX} lines`, () => none(longFunctions(sources)));
  it(`has no file over ${FILE_LINES_MAX} lines`, () => none(longFiles(files)));
  // Before there is an entry point, nothing uses what stands outermost.
  it.runIf(exists('server/src/main.ts'))('exports only what is used', () => none(deadExports(sources)));
  it('has no broken links', () => none(brokenLinks(files, exists)));
  it('leaves nothing unfinished and no test out', () => none(unfinished(files)));
  it('names no registry', () => none(registryHosts(files)));
  it('has nothing left behind', () => none(leftBehind(paths)));
});

// Every rule can fail: a small tree with one fault each.
describe('a planted fault is found:', () => {
  const source = (path: string, text: string): SourceFile => parse({ path, text });
  const lines = (count: number) => '  step();\n'.repeat(count);

  it('domain code that imports http, a web package or the wiring', () => {
    const text = "import { a } from '../http/a.ts';\nimport 'fastify';\nimport type { C } from '../compose.ts';\n";
    expect(outwardImports([source('server/src/stock/a.ts', text)])).toHaveLength(3);
    expect(outwardImports([source('server/src/http/b.ts', text), source('server/src/main.ts', text)])).toEqual([]);
  });

  it('an adapter that is taken from outside, also by type, by url or by a neighbour', () => {
    const text = `import { M } from '../stock/memory/m.ts';
      type T = import('../stock/memory/m.ts').T;
      const load = () => import('../stock/memory/m.ts');
      new Worker(new URL('../stock/memory/m.ts', import.meta.url));`;
    expect(adapterImports([source('server/src/recording/a.ts', text)])).toHaveLength(4);
    expect(adapterImports([source('server/src/ledger/sqlite/a.ts', "import '../../stock/memory/m.ts';")])).toHaveLength(
      1,
    );
    expect(adapterImports([source('server/src/stock/memory/a.ts', "import './m.ts';")])).toEqual([]);
    expect(adapterImports([source('server/src/catalog/sqlite/a.ts', "import '../../ledger/sqlite/m.ts';")])).toEqual(
      [],
    );
    expect(adapterImports([source('server/src/compose.ts', "import './stock/memory/m.ts';")])).toEqual([]);
  });

  it('rules of stock that ask the clock, chance or the machine, also through a module', () => {
    const rules = source(
      'server/src/stock/rules.ts',
      "import { b } from './b.ts';\nimport type { C } from '../c/c.ts';\n",
    );
    const helper = source(
      'server/src/stock/b.ts',
      "import 'node:fs';\nDate.now();\nMath.random();\nnew Date();\nnew Date(5);\n",
    );
    expect(impureRules([rules, helper])).toHaveLength(4);
    expect(impureRules([helper])).toEqual([]);
  });

  it('an import of a file that is not there', () => {
    const file = source('server/src/stock/a.ts', "import './b.ts';\nimport './c';\n");
    expect(missingTargets([file], (path) => path !== 'server/src/stock/b.ts')).toHaveLength(2);
  });

  it('long functions and long files', () => {
    const long = source(
      'a.ts',
      `/* 재고 */\nconst f = () => {\n${lines(69)}};\nclass A {\n  m() {\n${lines(10)}  }\n}\n`,
    );
    expect(longFunctions([long])).toEqual(['a.ts:2 f has 71 lines, more than 70']);
    expect(longFunctions([source('b.ts', `describe.each([1])('x', () => {\n${lines(90)}});`)])).toEqual([]);
    expect(
      longFiles([
        { path: 'a.lua', text: lines(501) },
        { path: 'b.ts', text: lines(500) },
      ]),
    ).toHaveLength(1);
  });

  it('a dead export', () => {
    const file = source(
      'server/src/a.ts',
      'export const used = 1, dead = used;\nexport interface Lone {}\nexport type T = 1;\nexport const t: T = 1;\n',
    );
    const user = source('server/tests/a.test.ts', "import { used, t } from '../src/a.ts';");
    expect(deadExports([file, user])).toEqual([
      'server/src/a.ts:1 exports dead, which no other file uses',
      'server/src/a.ts:2 exports Lone, which no other file uses',
    ]);
  });

  it('a broken link, to a file or to a heading', () => {
    const text =
      '# 재고 예약\n[a](gone.md) [b](#재고-예약) [c](#gone) [d](https://x.y) `[e](f)`\n```\n[g](h)\n```\n[i]: gone.md\n';
    expect(brokenLinks([{ path: 'docs/a.md', text }], (path) => path === 'docs/a.md')).toHaveLength(3);
  });

  it('what is unfinished, muted or bound to a registry', () => {
    const muted = ['it', 'describe.concurrent'].map((name) => `${name}.${'skip'}('x', () => {});`).join('\n');
    expect(unfinished([{ path: 'a.test.ts', text: `${muted}\n// ${'TO'}${'DO'} later\n` }])).toHaveLength(3);
    const text = '"resolved": "https://host/x.tgz"\n"resolved": "server"\n';
    expect(registryHosts([{ path: 'package-lock.json', text }])).toHaveLength(1);
  });

  it('what a patch or an editor left', () => {
    expect(leftBehind(['a.ts', 'b.ts.orig', 'c.rej', 'd.ts~', 'original.ts'])).toHaveLength(3);
  });
});
