// Rules about texts as such: links that lead somewhere, nothing left half done, no registry host in what is committed.

import { posix } from 'node:path';
import type { TextFile } from './source-tree.ts';

// In two pieces, for this file is searched as well.
const UNFINISHED = new RegExp(`\\b(${['TO', 'FIX'].map((word, index) => word + ['DO', 'ME'][index]).join('|')})\\b`);
const MUTED_TEST = /\b(?:describe|it|test|suite|bench)(?:\.\w+)*\.(?:only|skip|todo)\b/;
const TESTS = /\.test\.tsx?$/;
const REGISTRY_HOST = /"resolved":\s*"(?:[a-z+]+:)?\/\/|^\s*(?:@[\w-]+:)?registry\s*=|\bregistry\.npmjs\.org\b/;
const LINK =
  /\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)|^\s*\[[^\]]+\]:\s*(\S+)|<(?:img|a)\s[^>]*(?:src|href)="([^"]+)"/g;

function matchingLines(file: TextFile, pattern: RegExp, problem: string): string[] {
  return file.text
    .split('\n')
    .flatMap((line, index) => (pattern.test(line) ? [`${file.path}:${index + 1} ${problem}: ${line.trim()}`] : []));
}

export function unfinished(files: TextFile[]): string[] {
  return files.flatMap((file) => [
    ...(file.path.endsWith('package-lock.json') ? [] : matchingLines(file, UNFINISHED, 'is unfinished')),
    ...(TESTS.test(file.path) ? matchingLines(file, MUTED_TEST, 'leaves tests out') : []),
  ]);
}

export function registryHosts(files: TextFile[]): string[] {
  return files
    .filter(({ path }) => /(^|\/)(package-lock\.json|\.npmrc)$/.test(path))
    .flatMap((file) => matchingLines(file, REGISTRY_HOST, 'names a registry'));
}

/** Relative links of Markdown files lead to a file or folder, and their `#fragment` to one of its headings. */
export function brokenLinks(files: TextFile[], exists: (path: string) => boolean): string[] {
  const headings = new Map(files.filter(isMarkdown).map((file) => [file.path, anchorsOf(file)]));
  return files.filter(isMarkdown).flatMap((file) =>
    linksOf(file).flatMap(({ link, line }) => {
      const [path = '', anchor] = decodeURI(link).split('#');
      const inRoot = path.startsWith('/') ? path.slice(1) : posix.join(posix.dirname(file.path), path);
      const target = path === '' ? file.path : posix.normalize(inRoot);
      if (target !== '.' && !exists(target)) return [`${file.path}:${line} links to ${link}, which is not there`];
      const anchors = headings.get(target);
      if (!anchor || !anchors || anchors.has(anchor)) return [];
      return [`${file.path}:${line} links to ${link}, a heading that is not there`];
    }),
  );
}

const isMarkdown = (file: TextFile): boolean => file.path.endsWith('.md');

/** Lines of a Markdown file with code blanked out: examples are no links and comments in them no headings. */
function proseOf(file: TextFile): string[] {
  let fence: string | undefined;
  return file.text.split('\n').map((line) => {
    const mark = /^\s*(`{3,}|~{3,})/.exec(line)?.[1];
    if (mark && (fence === undefined || line.trim().startsWith(fence))) {
      fence = fence === undefined ? mark : undefined;
      return '';
    }
    return fence === undefined ? line : '';
  });
}

function linksOf(file: TextFile): { link: string; line: number }[] {
  return proseOf(file).flatMap((text, index) =>
    [...text.replaceAll(/`[^`]*`/g, '').matchAll(LINK)]
      .map((match) => match[1] ?? match[2] ?? match[3] ?? '')
      .filter((link) => link !== '' && !/^[a-z][a-z+.-]*:|^\/\//i.test(link))
      .map((link) => ({ link, line: index + 1 })),
  );
}

/** Anchors as GitHub makes them: lower case, punctuation dropped, spaces to hyphens, repeats numbered. */
function anchorsOf(file: TextFile): Set<string> {
  const anchors = new Set<string>();
  const counts = new Map<string, number>();
  for (const line of proseOf(file)) {
    for (const [, id] of line.matchAll(/<a\s[^>]*(?:id|name)="([^"]+)"/g)) anchors.add(id!);
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const words = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const slug = words.replaceAll(/[^\p{L}\p{M}\p{N}\s_-]/gu, '').replaceAll(/\s/g, '-');
    const repeats = counts.get(slug) ?? 0;
    counts.set(slug, repeats + 1);
    anchors.add(repeats === 0 ? slug : `${slug}-${repeats}`);
  }
  return anchors;
}
