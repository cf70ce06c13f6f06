// Who may import whom below server/src. Dependencies point inward: http and cli → domain folders → ports ← adapters.

import { posix } from 'node:path';
import { type Import, nameOf, nodeAt, type SourceFile, type SyntaxNode, walk } from './source-tree.ts';

const SOURCES = 'server/src/';
const OUTER_FOLDERS = new Set(['http', 'cli']);
/** A subfolder with one of these names is an adapter. */
const ENGINES = new Set(['memory', 'redis', 'sqlite', 'mariadb', 'local', 'kafka', 'zookeeper']);
const OUTER_PACKAGES = /^(fastify|@fastify\/.*|commander|cli-progress)$/;
const WIRING = /^server\/src\/compose(-[a-z-]+)?\.ts$/;
const WIRING_AND_ENTRY = /^server\/src\/(compose(-[a-z-]+)?|main)\.ts$/;
const OUTSIDE_THE_SERVER = /^(server\/tests|bench|infra)\//;

/** The files whose whole behaviour must follow from their arguments, with all that they import. */
const PURE_ROOTS = /^server\/src\/stock\/rules(\.ts$|\/)/;
const PURE_FOLDER = /^server\/src\/stock\/(rules\/)?[^/]+\.ts$/;
const IMPURE_NAMES = new Set([
  'process',
  'performance',
  'crypto',
  'fetch',
  'setTimeout',
  'setInterval',
  'setImmediate',
]);

/** `stock` for `server/src/stock/memory/x.ts`; undefined for compose.ts, main.ts and all outside server/src. */
function folderOf(path: string): string | undefined {
  if (!path.startsWith(SOURCES)) return undefined;
  const parts = path.slice(SOURCES.length).split('/');
  return parts.length > 1 ? parts[0] : undefined;
}

/** `server/src/stock/memory` for everything below it. */
function adapterOf(path: string): string | undefined {
  if (!path.startsWith(SOURCES)) return undefined;
  const parts = path.split('/');
  const at = parts.findIndex((part, index) => index > 2 && index < parts.length - 1 && ENGINES.has(part));
  return at < 0 ? undefined : parts.slice(0, at + 1).join('/');
}

/** Domain code knows neither http and cli, nor their packages, nor what wires it. */
export function outwardImports(files: SourceFile[]): string[] {
  const inner = files.filter((file) => {
    const folder = folderOf(file.path);
    return folder !== undefined && !OUTER_FOLDERS.has(folder);
  });
  return inner.flatMap((file) =>
    file.imports
      .filter(isOutward)
      .map((each) => `${file.path}:${each.line} imports ${each.specifier}: inner code knows no outer code`),
  );
}

function isOutward({ specifier, target }: Import): boolean {
  if (target === undefined) return OUTER_PACKAGES.test(specifier);
  return OUTER_FOLDERS.has(folderOf(target) ?? '') || WIRING_AND_ENTRY.test(target);
}

/**
 * Adapters are chosen by compose.ts alone; tests and benchmarks may take one directly, and adapters of one engine
 * may share what belongs to the engine (how a connection is opened, what its errors mean).
 */
export function adapterImports(files: SourceFile[]): string[] {
  const bound = files.filter((file) => !WIRING.test(file.path) && !OUTSIDE_THE_SERVER.test(file.path));
  return bound.flatMap((file) => {
    const own = adapterOf(file.path);
    return file.imports.flatMap((each) => {
      const adapter = each.target === undefined ? undefined : adapterOf(each.target);
      if (adapter === undefined || (own !== undefined && posix.basename(adapter) === posix.basename(own))) return [];
      return [`${file.path}:${each.line} imports ${each.specifier}: only compose.ts and tests know ${adapter}`];
    });
  });
}

/** The rules of stock, and every module that they load, depend on nothing but their arguments. */
export function impureRules(files: SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const waiting = files.filter((file) => PURE_ROOTS.test(file.path)).map((file) => file.path);
  const seen = new Set<string>();
  const problems: string[] = [];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const file = byPath.get(path);
    if (seen.has(path) || !file) continue;
    seen.add(path);
    problems.push(...impurities(file));
    for (const each of file.imports) {
      if (each.typeOnly) continue;
      if (each.target !== undefined && PURE_FOLDER.test(each.target)) waiting.push(each.target);
      else problems.push(`${path}:${each.line} imports ${each.specifier}: the rules load only pure modules of stock/`);
    }
  }
  return problems.sort();
}

function impurities(file: SourceFile): string[] {
  const problems: string[] = [];
  walk(file.program, (node, parent) => {
    const what = impurityOf(node, parent);
    if (what)
      problems.push(`${file.path}:${file.lineOf(node.start)} uses ${what}: the rules follow from their arguments`);
  });
  return problems;
}

function impurityOf(node: SyntaxNode, parent: SyntaxNode | undefined): string | undefined {
  if (node.type === 'MemberExpression') {
    const name = `${nameOf(nodeAt(node, 'object'))}.${nameOf(nodeAt(node, 'property'))}`;
    return name === 'Date.now' || name === 'Math.random' ? name : undefined;
  }
  if (node.type === 'NewExpression' && nameOf(nodeAt(node, 'callee')) === 'Date') {
    return (node.arguments as unknown[]).length === 0 ? 'new Date()' : undefined;
  }
  if (node.type !== 'Identifier' || !IMPURE_NAMES.has(nameOf(node))) return undefined;
  // Only the global itself: a field, a parameter or an imported thing may bear its name.
  const isUse = parent?.type === 'CallExpression' || (parent?.type === 'MemberExpression' && parent.object === node);
  return isUse ? nameOf(node) : undefined;
}

/** Relative imports name existing files, with their extension. */
export function missingTargets(files: SourceFile[], exists: (path: string) => boolean): string[] {
  return files.flatMap((file) =>
    file.imports
      .filter(({ target }) => target !== undefined && (posix.extname(target) === '' || !exists(target)))
      .map((each) => `${file.path}:${each.line} imports ${each.specifier}, which is not there`),
  );
}
