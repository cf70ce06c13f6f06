/** Certificates for servers of a test, signed by an authority of its own. */

import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { serverFolder } from './test-server.ts';

const run = promisify(execFile);
const DAYS = '2';

export interface CertificateFiles {
  certificate: string;
  key: string;
  /** Both, one after the other. */
  both: string;
}

/** Paths of PEM files. */
export class TestAuthority {
  /** Its own certificate: what whoever trusts it is given. */
  readonly certificate: string;
  readonly #folder: string;
  readonly #key: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.certificate = join(folder, 'authority.pem');
    this.#key = join(folder, 'authority.key');
  }

  static async make(name: string): Promise<TestAuthority> {
    const made = new TestAuthority(serverFolder('certificates'));
    const files = ['-keyout', made.#key, '-out', made.certificate];
    await run('openssl', ['req', '-x509', ...newKey(), '-subj', `/CN=${name}`, '-days', DAYS, ...files]);
    return made;
  }

  /** What is in its certificate's file. */
  text(): string {
    return readFileSync(this.certificate, 'utf8');
  }

  /** `names`: as a certificate has them, `DNS:localhost` or `IP:127.0.0.1`; the first is in the files' names. */
  async sign(...names: string[]): Promise<CertificateFiles> {
    const name = (names[0] as string).replace(/^\w+:/, '');
    const at = (ending: string) => join(this.#folder, `${name}.${ending}`);
    const files = { certificate: at('pem'), key: at('key'), both: at('both.pem') };
    const authority = ['-CA', this.certificate, '-CAkey', this.#key];
    const extensions = ['-addext', `subjectAltName=${names.join(',')}`, '-addext', 'basicConstraints=CA:FALSE'];
    const written = ['-keyout', files.key, '-out', files.certificate];
    await run('openssl', [
      'req',
      '-x509',
      ...newKey(),
      ...authority,
      '-subj',
      `/CN=${name}`,
      '-days',
      DAYS,
      ...extensions,
      ...written,
    ]);
    writeFileSync(files.both, readFileSync(files.key, 'utf8') + readFileSync(files.certificate, 'utf8'));
    return files;
  }
}

function newKey(): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
}
