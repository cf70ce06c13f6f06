/** Bytes in the forms of Kafka's protocol, written one after the other into a buffer that was made large enough. */
export class WireBytes {
  readonly buffer: Buffer;
  at = 0;

  constructor(bytesMax: number) {
    this.buffer = Buffer.allocUnsafe(bytesMax);
  }

  written(): Buffer {
    return this.buffer.subarray(0, this.at);
  }

  int8(value: number): void {
    this.at = this.buffer.writeInt8(value, this.at);
  }

  int16(value: number): void {
    this.at = this.buffer.writeInt16BE(value, this.at);
  }

  int32(value: number): void {
    this.at = this.buffer.writeInt32BE(value, this.at);
  }

  int64(value: bigint): void {
    this.at = this.buffer.writeBigInt64BE(value, this.at);
  }

  /** `UNSIGNED_VARINT`, below 2³². */
  unsigned(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.buffer[this.at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.buffer[this.at++] = rest;
  }

  /** `VARINT` of what is not negative. */
  count(value: number): void {
    this.unsigned(2 * value);
  }

  /** `COMPACT_STRING` */
  text(value: string): void {
    const bytes = Buffer.from(value);
    this.unsigned(bytes.length + 1);
    this.#append(bytes);
  }

  /** The bytes of a record: their number first, −1 where there are none. */
  bytes(value: Uint8Array | undefined): void {
    if (value === undefined) {
      this.unsigned(1);
      return;
    }
    this.count(value.length);
    this.#append(value);
  }

  #append(bytes: Uint8Array): void {
    this.buffer.set(bytes, this.at);
    this.at += bytes.length;
  }
}

/** What `count` takes. */
export function bytesOfCount(value: number): number {
  if (value < 2 ** 6) return 1;
  if (value < 2 ** 13) return 2;
  if (value < 2 ** 20) return 3;
  return value < 2 ** 27 ? 4 : 5;
}

/** What `bytes` takes. */
export function bytesOfBytes(value: Uint8Array | undefined): number {
  return value === undefined ? 1 : bytesOfCount(value.length) + value.length;
}
