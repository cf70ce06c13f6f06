import { connect, type Socket } from 'node:net';

const READ_BYTES = 65_536;
const HEADER_END = Buffer.from('\r\n\r\n');
const STATUS_AT = 9;
const STATUS_DIGITS = 3;
const CONTENT_LENGTH = /\r\ncontent-length: *(\d+)/i;

/** A keep-alive connection that tells of each response its status. Bodies come with a Content-Length. */
export class HttpConnection {
  readonly #socket: Socket;
  /** The beginning of a response that is not whole yet. */
  #rest: Buffer | null = null;
  #closed = false;
  /** `text` gives the response as it came; call it at once, for its bytes are overwritten by the next one. */
  onResponse: (status: number, text: () => string) => void = () => undefined;
  onFailure: (error: Error) => void = () => undefined;

  private constructor(port: number, onConnect: (error: Error | null) => void) {
    // One buffer for all reads of this connection, instead of a new one for each.
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    this.#socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer,
        callback: (bytes) => {
          this.#read(buffer.subarray(0, bytes));
          return true;
        },
      },
    });
    this.#socket.once('connect', () => onConnect(null));
    this.#socket.on('error', (error) => {
      onConnect(error);
      this.onFailure(error);
    });
    this.#socket.on('close', () => {
      if (!this.#closed) this.onFailure(new Error('the server closed a connection'));
    });
  }

  static open(port: number): Promise<HttpConnection> {
    return new Promise((resolve, reject) => {
      const connection: HttpConnection = new HttpConnection(port, (error) => {
        if (error === null) resolve(connection);
        else reject(error);
      });
    });
  }

  /** Bytes that wait for the kernel to take them. */
  get waitingBytes(): number {
    return this.#socket.writableLength;
  }

  send(request: Uint8Array): void {
    this.#socket.write(request);
  }

  close(): void {
    this.#closed = true;
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    let data = this.#rest === null ? bytes : Buffer.concat([this.#rest, bytes]);
    this.#rest = null;
    while (data.length > 0) {
      const length = responseLength(data);
      if (length === null || length > data.length) {
        this.#rest = Buffer.from(data);
        return;
      }
      const response = data.subarray(0, length);
      data = data.subarray(length);
      const status = Number(response.toString('latin1', STATUS_AT, STATUS_AT + STATUS_DIGITS));
      this.onResponse(status, () => response.toString());
    }
  }
}

/** Bytes of the response that begins here; null while its header is not whole. */
function responseLength(data: Buffer): number | null {
  const headerEnd = data.indexOf(HEADER_END);
  if (headerEnd < 0) return null;
  const header = data.toString('latin1', 0, headerEnd);
  const found = CONTENT_LENGTH.exec(header);
  if (found === null) throw new Error(`a response without a Content-Length: ${header}`);
  return headerEnd + HEADER_END.length + Number(found[1]);
}
