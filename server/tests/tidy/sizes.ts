// Functions fit on a screen and files can be read in one sitting: that is where the bugs of others were found to live.

import { nameOf, nodeAt, type SourceFile, type SyntaxNode, type TextFile, walk } from './source-tree.ts';

export const FUNCTION_LINES_MAX = 70;
export const FILE_LINES_MAX = 500;

const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);
const COUNTED_FILES = /\.(ts|tsx|mjs|js|lua|sql)$/;

export function longFiles(files: TextFile[]): string[] {
  return files.flatMap(({ path, text }) => {
    const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
    if (!COUNTED_FILES.test(path) || lines <= FILE_LINES_MAX) return [];
    return [`${path}:1 has ${lines} lines, more than ${FILE_LINES_MAX}`];
  });
}

export function longFunctions(files: SourceFile[]): string[] {
  return files.flatMap((file) => {
    const problems: string[] = [];
    walk(file.program, (node, parent) => {
      if (!FUNCTIONS.has(node.type) || isSuite(parent)) return;
      const line = file.lineOf(node.start);
      const lines = file.lineOf(node.end) - line + 1;
      if (lines > FUNCTION_LINES_MAX) {
        problems.push(
          `${file.path}:${line} ${functionName(node, parent)} has ${lines} lines, more than ${FUNCTION_LINES_MAX}`,
        );
      }
    });
    return problems;
  });
}

/** The body of `describe('…', () => { … })` is a list of tests, not a function that anyone follows step by step. */
function isSuite(parent: SyntaxNode | undefined): boolean {
  if (parent?.type !== 'CallExpression') return false;
  let callee = nodeAt(parent, 'callee');
  while (callee && callee.type !== 'Identifier') callee = nodeAt(callee, 'object') ?? nodeAt(callee, 'callee');
  return nameOf(callee).startsWith('describe');
}

function functionName(node: SyntaxNode, parent: SyntaxNode | undefined): string {
  const name =
    nameOf(nodeAt(node, 'id')) || (parent && (nameOf(nodeAt(parent, 'id')) || nameOf(nodeAt(parent, 'key'))));
  return name || 'a function';
}
