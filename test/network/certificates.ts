/** Certificates that are made when a test begins, by an authority of its own. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

export interface Authority {
  /** Its own certificate, which is to be trusted. */
  readonly cert: string;
  /** Makes a certificate for these names (`DNS:…`, `IP:…`). */
  sign(names: readonly string[]): Certificate;
  /** The same, for January 2020. */
  signOld(names: readonly string[]): Certificate;
}

const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
const old = ['-startdate', '20200101000000Z', '-enddate', '20200201000000Z'];
/** What `openssl ca` wants to know. */
const bookkeeping = `
[ca]
default_ca = own
[own]
database = index
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
`;

export function createAuthority(): Authority {
  const own = inFolder((folder) => {
    const openssl = opensslIn(folder);
    const subject = ['-subj', '/CN=ar-exec test authority'];
    openssl('req', ...curve, '-keyout', 'key', '-x509', '-days', '2', ...subject, '-out', 'cert');
    return read(folder);
  });
  const sign = (names: readonly string[], dates: readonly string[]): Certificate =>
    inFolder((folder) => {
      const openssl = opensslIn(folder);
      const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
      write('ca.key', own.key);
      write('ca.crt', own.cert);
      write('index', '');
      write('config', bookkeeping);
      write('names', `subjectAltName=${names.join(',')}\nbasicConstraints=critical,CA:FALSE\n`);
      openssl('req', ...curve, '-keyout', 'key', '-subj', '/CN=ar-exec test', '-out', 'request');
      const words = ['-cert', 'ca.crt', '-keyfile', 'ca.key', '-extfile', 'names', '-notext'];
      const files = ['-config', 'config', '-in', 'request', '-out', 'cert'];
      openssl('ca', '-batch', ...words, ...dates, ...files);
      return read(folder);
    });
  return {
    cert: own.cert,
    sign: (names) => sign(names, ['-days', '2']),
    signOld: (names) => sign(names, old),
  };
}

function opensslIn(folder: string) {
  return (...words: readonly string[]): void => {
    execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' });
  };
}

function read(folder: string): Certificate {
  const text = (name: string) => readFileSync(join(folder, name), 'utf8');
  return { key: text('key'), cert: text('cert') };
}

function inFolder<Result>(work: (folder: string) => Result): Result {
  const folder = mkdtempSync(join(tmpdir(), 'ar-exec-cert-'));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
