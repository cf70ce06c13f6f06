/**
 * The checked rows of a file, on disk until they are imported: a file is looked through whole before anything of it
 * takes effect, and may be larger than memory. Nothing here need survive a crash: the file is sent again then.
 */
import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

const WRITE_BYTES = 1_048_576;
const BLOCK_BYTES = 1_048_576;
const PREFIX = 'import-';

/** Rows that are imported by one command or one transaction. */
export interface SpoolChunk {
  /** Counts all rows of the file, refused ones included: the same rows have the same chunk in every attempt. */
  index: number;
  /** Physical line of its first row that was not refused. */
  line: number;
  rows: number;
  offset: number;
  length: number;
}

export class Spool {
  readonly chunks: SpoolChunk[] = [];
  readonly #path: string;
  readonly #file: FileHandle;
  #unwritten: string[] = [];
  #unwrittenLength = 0;
  #offset = 0;
  /** What was read last. */
  #block = { offset: 0, length: 0, bytes: Promise.resolve<Buffer>(Buffer.alloc(0)) };

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  static async create(folder: string): Promise<Spool> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, `${PREFIX}${process.pid}-${randomUUID()}.rows`);
    return new Spool(path, await open(path, 'wx+', 0o600));
  }

  /** `rows` are values in JSON, of one row each. */
  async append(index: number, line: number, rows: readonly string[]): Promise<void> {
    const text = `[${rows.join(',')}]\n`;
    const length = Buffer.byteLength(text);
    this.chunks.push({ index, line, rows: rows.length, offset: this.#offset, length });
    this.#offset += length;
    this.#unwritten.push(text);
    this.#unwrittenLength += length;
    if (this.#unwrittenLength >= WRITE_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    const bytes = Buffer.from(this.#unwritten.join(''));
    this.#unwritten = [];
    this.#unwrittenLength = 0;
    for (let written = 0; written < bytes.length; )
      written += (await this.#file.write(bytes, written, bytes.length - written)).bytesWritten;
  }

  /** The values of all rows of the chunk. Chunks are best read in their order: several come with one read. */
  async read({ offset, length }: SpoolChunk): Promise<unknown[]> {
    if (offset < this.#block.offset || offset + length > this.#block.offset + this.#block.length) {
      const blockLength = Math.min(Math.max(length, BLOCK_BYTES), this.#offset - offset);
      this.#block = { offset, length: blockLength, bytes: this.#readBlock(offset, blockLength) };
    }
    const { offset: begin, bytes } = this.#block;
    return JSON.parse((await bytes).toString('utf8', offset - begin, offset - begin + length)) as unknown[];
  }

  async #readBlock(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    for (let read = 0; read < length; ) {
      const { bytesRead } = await this.#file.read(bytes, read, length - read, offset + read);
      if (bytesRead === 0) throw new Error(`${this.#path} ends before it should`);
      read += bytesRead;
    }
    return bytes;
  }

  async remove(): Promise<void> {
    await this.#file.close();
    await rm(this.#path, { force: true });
  }
}

/** Removes what killed processes left behind. */
export async function removeLeftSpools(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [] as string[]);
  const left = names.filter((name) => name.startsWith(PREFIX) && !name.startsWith(`${PREFIX}${process.pid}-`));
  for (const name of left) await rm(join(folder, name), { force: true });
}
