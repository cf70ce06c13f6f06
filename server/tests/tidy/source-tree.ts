// Reads the repository as the rules of tidy.test.ts see it: paths, texts, and for TypeScript and JavaScript the syntax
// tree with what each file imports and exports.

import { readdirSync, readFileSync } from 'node:fs';
import { extname, join, posix } from 'node:path';
import { parseSync } from 'rolldown/utils';

/** One text file; `path` is relative to the root, with forward slashes. */
export interface TextFile {
  path: string;
  text: string;
}

export interface SyntaxNode {
  type: string;
  start: number;
  end: number;
  [field: string]: unknown;
}

export interface Import {
  /** As written: `./x.ts`, `node:fs`, `fastify`. */
  specifier: string;
  /** The path of the file it means, for relative specifiers. */
  target: string | undefined;
  line: number;
  typeOnly: boolean;
  /** Names as exported by the target; `*` for all of them. */
  names: string[];
}

export interface Export {
  name: string;
  line: number;
  kind: 'value' | 'type';
}

export interface SourceFile extends TextFile {
  program: SyntaxNode;
  imports: Import[];
  exports: Export[];
  lineOf(offset: number): number;
}

const SKIPPED_FOLDERS = new Set(['node_modules', 'data', 'coverage', 'dist']);
const KEPT_HIDDEN_FOLDERS = new Set(['.ci', '.github']);
const TEXT_EXTENSIONS = new Set(
  '.ts .tsx .mjs .js .json .md .lua .sql .sh .yml .yaml .toml .html .css .avsc'.split(' '),
);
const PARSED_EXTENSIONS = new Set(['.ts', '.tsx', '.mjs', '.js']);

const LEFT_BEHIND = /\.(?:orig|rej|bak|tmp|swp)$|~$/;

/** Of these names those that patches, merges and editors leave behind. */
export function leftBehind(names: string[]): string[] {
  return names.filter((name) => LEFT_BEHIND.test(name)).map((name) => `${name} was left behind`);
}

/** Every file below `root`, without what is installed, generated or hidden. */
export function pathsIn(root: string, folder = ''): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    if (!entry.isDirectory()) return entry.isFile() ? [path] : [];
    const hidden = entry.name.startsWith('.') && !KEPT_HIDDEN_FOLDERS.has(entry.name);
    return hidden || SKIPPED_FOLDERS.has(entry.name) ? [] : pathsIn(root, path);
  });
}

/** Those of them that are text. */
export function readTexts(root: string, paths: string[]): TextFile[] {
  return paths
    .filter((path) => TEXT_EXTENSIONS.has(extname(path)) || posix.basename(path) === '.npmrc')
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

export const isParsed = (file: TextFile): boolean => PARSED_EXTENSIONS.has(extname(file.path));

/** Throws with the place of the first syntax error. */
export function parse(file: TextFile): SourceFile {
  const { program, errors } = parseSync(file.path, file.text);
  const first = errors[0];
  if (first) throw new Error(`${file.path}: ${first.message}`);
  const lineOf = lineCounter(file.text);
  const root = program as unknown as SyntaxNode;
  return { ...file, program: root, lineOf, imports: importsOf(file, root, lineOf), exports: exportsOf(root, lineOf) };
}

/** Calls `visit` for a node and all below it, parents first. */
export function walk(
  node: SyntaxNode,
  visit: (node: SyntaxNode, parent: SyntaxNode | undefined) => void,
  parent?: SyntaxNode,
): void {
  visit(node, parent);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) walk(child, visit, node);
  }
}

export function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && typeof (value as SyntaxNode).type === 'string';
}

export const nodeAt = (node: SyntaxNode, field: string): SyntaxNode | undefined => {
  const value = node[field];
  return isNode(value) ? value : undefined;
};

const nodesAt = (node: SyntaxNode, field: string): SyntaxNode[] => {
  const value = node[field];
  return Array.isArray(value) ? value.filter(isNode) : [];
};

/** The text of an identifier or of a string literal. */
export const nameOf = (node: SyntaxNode | undefined): string => String(node?.name ?? node?.value ?? '');

function lineCounter(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}

function importsOf(file: TextFile, program: SyntaxNode, lineOf: (offset: number) => number): Import[] {
  const imports: Import[] = [];
  walk(program, (node) => {
    const found = importOf(node);
    if (!found) return;
    const relative = found.specifier.startsWith('.');
    const target = relative ? posix.join(posix.dirname(file.path), found.specifier) : undefined;
    imports.push({ ...found, target, line: lineOf(node.start) });
  });
  return imports;
}

function importOf(node: SyntaxNode): Pick<Import, 'specifier' | 'typeOnly' | 'names'> | undefined {
  const specifier = nameOf(nodeAt(node, 'source'));
  switch (node.type) {
    case 'ImportDeclaration': {
      const specifiers = nodesAt(node, 'specifiers');
      const allTypes = specifiers.length > 0 && specifiers.every((each) => each.importKind === 'type');
      return { specifier, typeOnly: node.importKind === 'type' || allTypes, names: specifiers.map(importedName) };
    }
    case 'ExportNamedDeclaration': {
      if (!specifier) return undefined;
      const names = nodesAt(node, 'specifiers').map((each) => nameOf(nodeAt(each, 'local')));
      return { specifier, typeOnly: node.exportKind === 'type', names };
    }
    case 'ExportAllDeclaration':
      return { specifier, typeOnly: node.exportKind === 'type', names: ['*'] };
    case 'ImportExpression':
      return specifier ? { specifier, typeOnly: false, names: ['*'] } : undefined;
    case 'TSImportType':
      return { specifier, typeOnly: true, names: ['*'] };
    case 'NewExpression':
      return moduleUrl(node);
    default:
      return undefined;
  }
}

const importedName = (specifier: SyntaxNode): string => {
  if (specifier.type === 'ImportDefaultSpecifier') return 'default';
  return specifier.type === 'ImportSpecifier' ? nameOf(nodeAt(specifier, 'imported')) : '*';
};

/** `new URL('./worker.ts', import.meta.url)` loads a module as surely as an import does. */
function moduleUrl(node: SyntaxNode): Pick<Import, 'specifier' | 'typeOnly' | 'names'> | undefined {
  const [path, base] = nodesAt(node, 'arguments');
  if (nameOf(nodeAt(node, 'callee')) !== 'URL' || path?.type !== 'Literal' || base?.type !== 'MemberExpression') {
    return undefined;
  }
  const specifier = nameOf(path);
  return PARSED_EXTENSIONS.has(extname(specifier)) ? { specifier, typeOnly: false, names: ['*'] } : undefined;
}

function exportsOf(program: SyntaxNode, lineOf: (offset: number) => number): Export[] {
  const exports: Export[] = [];
  for (const node of nodesAt(program, 'body')) {
    if (node.type !== 'ExportNamedDeclaration') continue;
    const line = lineOf(node.start);
    const declaration = nodeAt(node, 'declaration');
    const type = node.exportKind === 'type' || /^TS(Interface|TypeAlias)/.test(declaration?.type ?? '');
    const kind = type ? 'type' : 'value';
    for (const name of declaredNames(declaration)) exports.push({ name, line, kind });
    for (const specifier of nodesAt(node, 'specifiers')) {
      exports.push({ name: nameOf(nodeAt(specifier, 'exported')), line, kind });
    }
  }
  return exports;
}

function declaredNames(declaration: SyntaxNode | undefined): string[] {
  if (!declaration) return [];
  if (declaration.type !== 'VariableDeclaration') return [nameOf(nodeAt(declaration, 'id'))];
  return nodesAt(declaration, 'declarations').map((each) => nameOf(nodeAt(each, 'id')));
}
