// What is exported is used from outside: a value by another file, a type by another file or within its own.

import { nameOf, type SourceFile, walk } from './source-tree.ts';

const CHECKED = /^server\/src\//;
const ENTRY = /^server\/src\/main\.ts$/;

export function deadExports(files: SourceFile[]): string[] {
  const used = usedNames(files);
  return files.flatMap((file) => {
    if (!CHECKED.test(file.path) || ENTRY.test(file.path) || used.has(`${file.path}#*`)) return [];
    return file.exports
      .filter((each) => !used.has(`${file.path}#${each.name}`))
      .filter((each) => each.kind === 'value' || occurrences(file, each.name) < 2)
      .map((each) => `${file.path}:${each.line} exports ${each.name}, which no other file uses`);
  });
}

function usedNames(files: SourceFile[]): Set<string> {
  const used = new Set<string>();
  for (const file of files) {
    for (const each of file.imports) for (const name of each.names) used.add(`${each.target}#${name}`);
  }
  return used;
}

function occurrences(file: SourceFile, name: string): number {
  let count = 0;
  walk(file.program, (node) => {
    if (node.type === 'Identifier' && nameOf(node) === name) count += 1;
  });
  return count;
}
