/** Pieces of Markdown pages that tests read: fenced blocks, tables, headings. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../../..');

export interface Block {
  language: string;
  text: string;
  /** Of the first line inside the fence, from 1. */
  line: number;
}

export function readPage(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** Markdown files of a folder, relative to the root, sorted. */
export function pagesIn(folder: string): string[] {
  return readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => `${folder}/${name}`);
}

export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let open: Block | null = null;
  for (const [index, line] of markdown.split('\n').entries()) {
    const fence = /^```(\S*)/.exec(line);
    if (fence === null) {
      if (open !== null) open.text += `${line}\n`;
    } else if (open === null) {
      open = { language: fence[1] ?? '', text: '', line: index + 2 };
    } else {
      blocks.push(open);
      open = null;
    }
  }
  return blocks;
}

/** The text below a heading, up to the next one of its level or above. */
export function sectionOf(markdown: string, heading: string): string {
  const lines = markdown.split('\n');
  const start = lines.indexOf(heading);
  if (start < 0) throw new Error(`there is no heading "${heading}"`);
  const level = /^#+/.exec(heading)?.[0].length ?? 1;
  const end = lines.findIndex((line, index) => index > start && new RegExp(`^#{1,${level}} `).test(line));
  return lines.slice(start + 1, end < 0 ? undefined : end).join('\n');
}

/** Rows of all tables of a text, header and ruler left out; cells as they are written. */
export function tableRows(markdown: string): string[][] {
  const lines = markdown.split('\n');
  return lines.flatMap((line, index) => {
    const isRow = line.startsWith('|') && !isRuler(line) && !isRuler(lines[index + 1] ?? '');
    return isRow ? [cellsOf(line)] : [];
  });
}

function isRuler(line: string): boolean {
  return /^\|[\s:|-]+\|$/.test(line) && line.includes('-');
}

/** A bar inside backquotes or behind a backslash belongs to its cell. */
function cellsOf(line: string): string[] {
  const cells = line.slice(1, line.lastIndexOf('|')).match(/(?:\\\||`[^`]*`|[^|])+/g) ?? [];
  return cells.map((cell) => cell.trim());
}

/** What stands in backquotes. */
export function codesOf(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code as string);
}
