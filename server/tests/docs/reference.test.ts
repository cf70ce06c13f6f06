/** The pages of reference say what the source says: all of it, and nothing else. */
import { dirname, join } from 'node:path';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { buildProgram } from '../../src/cli/program.ts';
import { published } from '../../src/events/catalogue/catalogue.ts';
import type { ConsumedTopic } from '../../src/events/topics.ts';
import { PROBLEMS } from '../../src/http/problems.ts';
import { readMessage } from '../../src/ordering/messages/read-message.ts';
import { decodeEntry, encodeEntry } from '../../src/stock/entry-codec.ts';
import * as limits from '../../src/stock/limits.ts';
import { isPassing, type Outcome } from '../../src/stock/outcome.ts';
import { Telemetry } from '../../src/telemetry/telemetry.ts';
import { EVERY_OUTCOME } from '../scenarios/every-outcome.ts';
import { consumedExamples, publishedExamples } from './event-examples.ts';
import { eventsPage } from './events-page.ts';
import { blocksOf, codesOf, readPage, sectionOf, tableRows } from './markdown.ts';
import { commandPages } from './pages.ts';
import { sourceFiles } from './source-files.ts';

const sorted = (values: Iterable<string>) => [...new Set(values)].sort();

describe('a page of a command', () => {
  const commandsOf = (page: string) => {
    const name = /([\w-]+)\.md$/.exec(page)?.[1] ?? '';
    return Object.keys(EVERY_OUTCOME).filter((type) => type === name || type.startsWith(`${name}-`));
  };

  it('is there for every command, and for nothing else', () => {
    expect(sorted(commandPages.flatMap(commandsOf))).toEqual(sorted(Object.keys(EVERY_OUTCOME)));
  });

  it.each(commandPages)('%s names every outcome, with its answer and whether it sticks', (page) => {
    const rows = tableRows(sectionOf(readPage(page), '## Outcomes'));
    const outcomes = commandsOf(page).flatMap((type) => [...EVERY_OUTCOME[type as keyof typeof EVERY_OUTCOME]]);
    expect(sorted(rows.flatMap(([outcome = '']) => codesOf(outcome)))).toEqual(sorted(outcomes));
    for (const [outcome = '', answer = '', sticks] of rows) {
      const [status] = codesOf(outcome);
      expect(sticks, `${page}: ${status} sticks`).toBe(isPassing({ status } as Outcome) ? 'no' : 'yes');
      const [code] = codesOf(answer);
      if (code === undefined) continue;
      expect(answer).toBe(`${PROBLEMS[code as keyof typeof PROBLEMS].status} \`${code}\``);
    }
  });

  it.each(commandPages)('%s has fields, outcomes and events', (page) => {
    for (const heading of ['## Fields', '## Outcomes', '## Events']) {
      expect(sectionOf(readPage(page), heading).trim()).not.toBe('');
    }
  });

  it('stands in the contents', () => {
    const contents = readPage('docs/reference/README.md');
    for (const page of commandPages) expect(contents).toContain(`(${page.replace('docs/reference/', '')})`);
  });
});

describe('the page of events', () => {
  it('is made of the catalogue as it is (node server/tests/docs/write-events-page.ts)', () => {
    expect(readPage('docs/reference/events.md')).toBe(eventsPage());
  });

  it.each(Object.entries(publishedExamples))('shows %s as its schema has it', (topic, example) => {
    expect(Compile(published[topic as keyof typeof published].data).Errors(example)).toEqual([]);
  });

  it.each(Object.entries(consumedExamples))('shows %s as the reader takes it', (topic, data) => {
    const value = Buffer.from(JSON.stringify({ eventId: 'evt-1', eventType: topic, timestamp: 0, data }));
    const message = { topic: topic as ConsumedTopic, key: null, headers: new Map(), value };
    const open = () => ({ ok: true, value, encryptedFor: null }) as const;
    expect(readMessage({ ...message, partition: 0, offset: 0n, at: 0 }, open)).toMatchObject({ ok: true });
  });
});

describe('the page of limits', () => {
  const path = 'docs/reference/limits.md';
  const rows = tableRows(readPage(path));

  it('names every bound of a command', () => {
    const text = readPage(path);
    for (const name of Object.keys(limits)) expect(text).toContain(`\`${name}\``);
  });

  it.each(rows)('%s: %s %s', (_limit, value = '', _unit, where = '') => {
    const [name] = codesOf(where);
    const link = /\]\(([^)]+)\)/.exec(where)?.[1] ?? '';
    const source = readPage(join(dirname(path), link));
    const expression = new RegExp(`^(?:export )?const ${name} = ([\\d_ *]+);`, 'm').exec(source)?.[1];
    const factors = (expression ?? '').split('*').map((factor) => Number(factor.replaceAll('_', '')));
    expect(value.replaceAll(' ', '')).toBe(String(factors.reduce((product, factor) => product * factor, 1)));
  });
});

describe('the page of metrics', () => {
  const page = readPage('docs/reference/metrics.md');
  const ofProcess = /^holdfast_(process|nodejs)_/;

  it('names every metric of ours, and no other', () => {
    const inSource = sourceFiles('server/src').flatMap(({ text }) =>
      [...text.matchAll(/'(holdfast_[a-z_]*[a-z])'/g)].map(([, name]) => name as string),
    );
    expect(sorted(tableRows(page).flatMap(([metric = '']) => codesOf(metric)))).toEqual(sorted(inSource));
  });

  it('has type, labels and meaning as the telemetry has them', async () => {
    const metrics = await new Telemetry().registry.getMetricsAsJSON();
    const rows = new Map(tableRows(page).map(([metric = '', ...rest]) => [codesOf(metric)[0], rest]));
    for (const { name, type } of metrics.filter((metric) => !ofProcess.test(metric.name))) {
      expect(rows.get(name)?.[0], name).toBe(String(type));
    }
    expect(metrics.some(({ name }) => ofProcess.test(name))).toBe(true);
  });
});

describe('the page of the command line', () => {
  const page = readPage('docs/reference/cli.md');
  const commands = buildProgram({}).commands.filter((command) => command.name() !== 'help');

  it('has a section for every command, and for nothing else', () => {
    const headings = [...page.matchAll(/^## holdfast (\w+)$/gm)].map(([, name]) => name as string);
    expect(sorted(headings)).toEqual(sorted(commands.map((command) => command.name())));
  });

  it.each(commands.map((command) => [command.name(), command] as const))(
    '%s: options and arguments',
    (name, command) => {
      const section = sectionOf(page, `## holdfast ${name}`);
      const listed = tableRows(section).map(([option = '']) => codesOf(option)[0] as string);
      expect(sorted(listed)).toEqual(sorted(command.options.map((option) => option.flags)));
      const values = [...command.options, ...command.registeredArguments].flatMap((one) => one.argChoices ?? []);
      for (const value of values) expect(section).toContain(`\`${value}\``);
    },
  );
});

describe('the page of settings', () => {
  it('names every variable, and no other', () => {
    const page = readPage('docs/operating/settings.md');
    const inSource = sourceFiles('server/src/cli').flatMap(({ text }) =>
      [
        ...text.matchAll(
          /\b((?:HOLDFAST|REDIS|DB|SPRING_KAFKA|KAFKA|TOPIC|EVENT|EARLY|SCHEMA)_[A-Z_]+|JWT_SECRET|OUTBOX|POISON_REBUILDS_MAX)\b(?=[')])/g,
        ),
      ].map(([, name]) => name as string),
    );
    expect(sorted(tableRows(page).flatMap(([variable = '']) => codesOf(variable)))).toEqual(sorted(inSource));
  });
});

describe('the page of entries', () => {
  const page = readPage('docs/reference/entries.md');

  it('shows an entry that is read and written as it stands', () => {
    const [example] = blocksOf(page).filter(({ language }) => language === 'json');
    const text = JSON.stringify(JSON.parse(example?.text ?? ''));
    expect(encodeEntry(decodeEntry(text))).toBe(text);
  });

  it('has the places of every tuple as the codec reads them', () => {
    const codec = readPage('server/src/stock/entry-codec.ts');
    const inSource = [...codec.matchAll(/function decode(\w+)\(tuple: Tuple\)[\s\S]*?const \[([^\]]+)\]/g)].map(
      ([, name = '', places = '']) => [
        name.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter}`).toLowerCase(),
        ...places.split(',').map((place) => place.trim()),
      ],
    );
    const rows = tableRows(sectionOf(page, '## The tuples'));
    const listed = rows.map(([name = '', places = '', more = '']) => [name, ...codesOf(places), ...codesOf(more)]);
    expect(listed.toSorted()).toEqual(inSource.toSorted());
  });
});

describe('the guide to imports', () => {
  const page = readPage('docs/guides/importing.md');

  it('names every reason for which a row is refused, and no other', () => {
    const source = readPage('server/src/catalog/import/refusals.ts').split('export interface')[0] ?? '';
    const inSource = [...source.matchAll(/'([A-Z0-9_]+)'/g)].map(([, code]) => code as string);
    const listed = tableRows(sectionOf(page, '## When rows are wrong')).flatMap(([code = '']) => codesOf(code));
    expect(sorted(listed)).toEqual(sorted(inSource));
  });

  it('names every field', () => {
    const source = readPage('server/src/catalog/import/columns.ts');
    const fields = [...source.matchAll(/name: '(\w+)',\s+required/g)].map(([, name]) => name as string);
    expect(sorted(codesOf(sectionOf(page, '## Columns')).filter((code) => /^\w+$/.test(code)))).toEqual(sorted(fields));
  });
});
