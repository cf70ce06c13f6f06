import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CsvReader, CsvUnreadable, RECORD_LENGTH_MAX } from '../../src/catalog/import/csv-reader.ts';

interface ReadRecord {
  fields: string[];
  line: number;
  fault: string | null;
}

function read(...pieces: (string | Buffer)[]): ReadRecord[] {
  const records: ReadRecord[] = [];
  const reader = new CsvReader((fields, line, fault) => records.push({ fields, line, fault: fault?.code ?? null }));
  for (const piece of pieces) reader.push(Buffer.from(piece));
  reader.end();
  return records;
}

const fieldsOf = (records: readonly ReadRecord[]) => records.map(({ fields }) => fields);

describe('the CSV reader', () => {
  it.each([
    [
      'a,b\n1,2\n',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      'a,b\r\n1,2\r\n',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      'a,b\r\n1,2\n3,4',
      [
        ['a', 'b'],
        ['1', '2'],
        ['3', '4'],
      ],
    ],
    [
      '\ufeffa,b\n1,2',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      'a;b\n1,5;2',
      [
        ['a', 'b'],
        ['1,5', '2'],
      ],
    ],
    [
      'a\tb\n1\t2',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      'a,b\n"1,1","say ""hi"""\n',
      [
        ['a', 'b'],
        ['1,1', 'say "hi"'],
      ],
    ],
    [
      'a,b\n"over\r\ntwo lines",2\n',
      [
        ['a', 'b'],
        ['over\r\ntwo lines', '2'],
      ],
    ],
    [
      'a,b\n"",\n',
      [
        ['a', 'b'],
        ['', ''],
      ],
    ],
    [
      'a,b\n\n\r\n1,2\n\n',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      '이름,도시\n서울 1호점,"서울, 중구"\n',
      [
        ['이름', '도시'],
        ['서울 1호점', '서울, 중구'],
      ],
    ],
    [
      '\ufeff"a","b"\n"1","2"',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    ['', []],
    ['\ufeff', []],
  ])('reads %j', (text, expected) => {
    expect(fieldsOf(read(text))).toEqual(expected);
  });

  it('names the line on which a record begins', () => {
    const text = 'a,b\n"x\ny\nz",1\n\n2,3\r\n"q\r\n",4\n5,6';
    expect(read(text).map(({ line }) => line)).toEqual([1, 2, 6, 7, 9]);
  });

  it.each([
    ['a,b\n1,say "hi"\n3,4\n', 2, 'MISPLACED_QUOTE'],
    ['a,b\n"1"x,2\n3,4\n', 2, 'MISPLACED_QUOTE'],
    ['a,b\n"1" ,2\n3,4\n', 2, 'MISPLACED_QUOTE'],
    ['a,b\n1\r2,3\n3,4\n', 2, 'MISPLACED_LINE_END'],
  ])('finds fault with one row of %j and reads on', (text, line, code) => {
    const records = read(text);
    expect(records.filter(({ fault }) => fault !== null)).toMatchObject([{ line, fault: code }]);
    expect(records.at(-1)?.fields).toEqual(['3', '4']);
  });

  it('names the row whose bytes are no UTF-8, and reads on', () => {
    const latin1 = Buffer.concat([Buffer.from('a,b\n1,ü\n2,'), Buffer.from([0xfc]), Buffer.from('\n"3","ü"\n')]);
    const records = read(latin1);
    expect(records.map(({ line, fault }) => [line, fault])).toEqual([
      [1, null],
      [2, null],
      [3, 'NOT_UTF8'],
      [4, null],
    ]);
    expect(records[3]?.fields).toEqual(['3', 'ü']);
  });

  it.each([
    ['UTF-16, little endian', Buffer.from('\ufeffa,b\n1,2\n', 'utf16le'), 'NOT_UTF8', 1],
    ['UTF-16, big endian', Buffer.from('\ufeffa,b\n1,2\n', 'utf16le').swap16(), 'NOT_UTF8', 1],
    ['UTF-16 without a mark', Buffer.from('a,b\n1,2\n', 'utf16le'), 'NOT_UTF8', 1],
    ['an unclosed quote', Buffer.from('a,b\n1,2\n"3,4\n5,6\n'), 'UNCLOSED_QUOTE', 3],
    ['an endless quote', Buffer.from(`a,b\n"${'x\n'.repeat(RECORD_LENGTH_MAX)}`), 'UNCLOSED_QUOTE', 2],
    ['an endless row', Buffer.from(`a,b\n${'x'.repeat(RECORD_LENGTH_MAX + 1)}`), 'ROW_TOO_LONG', 2],
  ])('gives up on %s', (_, bytes, code, line) => {
    expect(() => read(bytes)).toThrow(CsvUnreadable);
    try {
      read(bytes);
    } catch (error) {
      expect(error).toMatchObject({ code, line });
    }
  });

  it('reads the same wherever the pieces are cut', () => {
    const text = '\ufeffa,"b ""x"""\r\n"1\r\n2",é\n\r\n"",\n"서울",""""\r\nlast,"row"';
    const bytes = Buffer.from(text);
    const whole = read(bytes);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      expect(read(bytes.subarray(0, cut), bytes.subarray(cut))).toEqual(whole);
    }
    expect(read(...Array.from(bytes, (byte) => Buffer.from([byte])))).toEqual(whole);
  });
});

const cell = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc.stringMatching(/^[a"',\r\n ;é]{0,8}$/),
);
/** One column would make an empty line of an empty cell. */
const table = fc
  .integer({ min: 2, max: 5 })
  .chain((width) => fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 12 }));

const quoted = (value: string) => `"${value.replaceAll('"', '""')}"`;
const needsQuotes = /[",\r\n;\t]|^\ufeff/;
const separator = fc.constantFrom('\n', '\r\n');

function write(rows: readonly string[][], always: boolean, lineEnd: string): string {
  const line = (row: readonly string[]) =>
    row.map((value) => (always || needsQuotes.test(value) ? quoted(value) : value)).join(',');
  return `head,er\n${rows.map(line).join(lineEnd)}${lineEnd}`;
}

describe('the CSV reader, with any table', () => {
  it('gives back what was written', () => {
    fc.assert(
      fc.property(table, fc.boolean(), separator, (rows, always, lineEnd) => {
        const written = rows.filter((row) => always || row.some((value) => value !== ''));
        const [, ...records] = read(write(written, always, lineEnd));
        expect(fieldsOf(records)).toEqual(written.map((row) => row.map((value) => value.toWellFormed())));
      }),
      { numRuns: 500 },
    );
  });

  it('does as csv-parse does, in pieces of any size', () => {
    fc.assert(
      fc.property(
        table,
        fc.boolean(),
        separator,
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }),
        (rows, always, lineEnd, sizes) => {
          const bytes = Buffer.from(write(rows, always, lineEnd));
          const expected = parse(bytes, {
            bom: true,
            relax_column_count: true,
            skip_empty_lines: true,
            record_delimiter: ['\r\n', '\n'],
          });
          const pieces: Buffer[] = [];
          for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
            const size = sizes[turn % sizes.length] as number;
            pieces.push(bytes.subarray(at, at + size));
            at += size;
          }
          expect(fieldsOf(read(...pieces))).toEqual(expected);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('never fails but by naming a line, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.stringMatching(/^[a",\r\n]{0,60}$/), (bytes, text) => {
        for (const input of [Buffer.from(bytes), Buffer.from(text)]) {
          try {
            for (const { line } of read(input)) expect(line).toBeGreaterThan(0);
          } catch (error) {
            expect(error).toBeInstanceOf(CsvUnreadable);
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
