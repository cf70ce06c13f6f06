/** What the pages print is what happens: every session is run as it stands, against a real server. */
import { afterEach, describe, expect, it } from 'vitest';
import { readPage } from './markdown.ts';
import { sessions } from './pages.ts';
import {
  differences,
  isAsPrinted,
  isServerStep,
  type RunningServer,
  runSteps,
  startServer,
  stepsOf,
} from './session.ts';

const SESSION_MS_MAX = 120_000;

describe('a session runs as it is printed', () => {
  let server: RunningServer | null = null;

  afterEach(async () => {
    const code = await server?.stop();
    server = null;
    expect(code ?? 0).toBe(0);
  });

  it.each(sessions.map((pages) => [pages[0] as string, pages] as const))(
    '%s',
    async (_first, pages) => {
      const steps = pages.map((page) => stepsOf(readPage(page)));
      expect(steps.flat().length).toBeGreaterThan(0);
      server = await startServer();
      const results = await runSteps(server, steps.flat());
      const problems = pages.flatMap((page, index) => differences(page, results.splice(0, steps[index]?.length ?? 0)));
      if (problems.length > 0) expect.fail(problems.join('\n\n'));
    },
    SESSION_MS_MAX,
  );
});

describe('the first walk', () => {
  it('is the same in both languages', () => {
    const [english, korean] = ['README.md', 'README.ko.md'].map((page) =>
      stepsOf(readPage(page)).map(({ command }) => command),
    );
    expect(korean).toEqual(english);
  });

  it('begins with a clone and a start, and shows reservations, confirmation and stock', () => {
    const steps = stepsOf(readPage('README.md'));
    expect(steps.some(isServerStep)).toBe(true);
    const all = steps.map(({ command }) => command).join('\n');
    for (const part of [
      'git clone',
      'token',
      'stores/',
      'products/',
      '/receive',
      '/distribute',
      '/reserve',
      '/confirm',
      '/stock',
    ]) {
      expect(all).toContain(part);
    }
  });

  it('fits on a screen', () => {
    for (const page of ['README.md', 'README.ko.md']) expect(readPage(page).split('\n').length).toBeLessThanOrEqual(85);
  });
});

describe('the comparison', () => {
  it('takes ids and instants for any of their kind, and white space for nothing', () => {
    const printed = '{ "reservationId": "rsv_9_0123456789abcdef01234567",\n  "expiresAt": "2026-01-02T03:04:05.678Z" }';
    const output = '{"reservationId":"rsv_9_aaaaaaaaaaaaaaaaaaaaaaaa","expiresAt":"2031-01-02T03:04:05.678Z"}';
    expect(isAsPrinted(printed, output)).toBe(true);
    expect(isAsPrinted(printed, output.replace('rsv_9', 'rsv_8'))).toBe(false);
  });

  it('finds another quantity, a field too many and an error in place of an answer', () => {
    expect(isAsPrinted('{"available": 98}', '{"available":97}')).toBe(false);
    expect(isAsPrinted('{"available": 98}', '{"available":98,"more":1}')).toBe(false);
    expect(isAsPrinted('{"available": 98, …}', '{"available":98,"more":1}')).toBe(true);
    expect(isAsPrinted('UP', 'DOWN')).toBe(false);
  });
});
