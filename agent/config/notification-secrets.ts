import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Endpoint, Endpoints } from '../words.ts';
import type { Notification, Secret } from './notifications.ts';

/** Longer than any token, and than the certificates of a company. */
const longestSecretBytes = 16_384;
const longestCertificateBytes = 1_048_576;

/**
 * Answers what is needed to reach the other side of a notification. Files are read each time: a token
 * that is replaced counts from the next try on.
 */
export function createEndpoints(notifications: readonly Notification[]): Endpoints {
  const byName = new Map(notifications.map((one) => [one.name, one]));
  return async (name): Promise<Endpoint> => {
    const found = byName.get(name);
    // The address comes with the request.
    if (found === undefined) return {};
    const { secrets, values } = found;
    const proxy = await textOf(secrets.proxy);
    const certificates = values['ca_file'];
    return {
      url: await textOf(secrets.url),
      token: (await textOf(secrets.token)) ?? (await textOf(secrets.password)),
      proxy: proxy === 'none' ? '' : proxy,
      certificates: certificates === undefined ? undefined : await readCertificates(certificates),
      allowHttp: values['allow_http'] === 'yes',
    };
  };
}

/** What would fail once something has to be told, a sentence each. */
export async function notificationTroubles(
  notifications: readonly Notification[],
): Promise<readonly string[]> {
  const endpoints = createEndpoints(notifications);
  const troubles = await Promise.all(
    notifications.map(({ name }) =>
      endpoints(name).then(
        () => [],
        (error: Error) => [`the notification "${name}" cannot be sent: ${error.message}`],
      ),
    ),
  );
  return troubles.flat();
}

/** Whether a secret stands in the configuration itself, which others may then not read. */
export function holdsSecret(notifications: readonly Notification[]): boolean {
  return notifications.some(({ secrets }) =>
    Object.entries(secrets).some(
      ([name, secret]) => 'text' in secret && (name !== 'proxy' || secret.text.includes('@')),
    ),
  );
}

async function textOf(secret: Secret | undefined): Promise<string | undefined> {
  if (secret === undefined) return undefined;
  return 'text' in secret ? secret.text : readSecret(secret.file);
}

async function readSecret(file: string): Promise<string> {
  const text = (await read(file, longestSecretBytes, 0o027)).trim();
  if (text === '') throw new Error(`${file} is empty`);
  return text;
}

async function readCertificates(file: string): Promise<string> {
  const text = await read(file, longestCertificateBytes, 0o022);
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw new Error(`${file} holds no certificate (PEM)`);
  }
  return text;
}

/** `never` are the rights that nobody may have but the file's owner, and to read its group. */
async function read(file: string, longest: number, never: number): Promise<string> {
  // Without O_NONBLOCK, opening a named pipe would wait for somebody to write to it.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((error) => {
    const code = (error as NodeJS.ErrnoException).code;
    throw new Error(`${file} cannot be read (${code ?? 'unknown'})`);
  });
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new Error(`${file} is not a regular file`);
    if (found.size > longest) throw new Error(`${file} is longer than ${longest} bytes`);
    const own = process.getuid?.();
    // Windows has no such bits; there the folder's access list decides.
    if (own !== undefined) {
      if (found.uid !== 0 && found.uid !== own) {
        throw new Error(`${file} belongs to the user ${found.uid}: run chown root ${file}`);
      }
      const loose = found.mode & never;
      if (loose !== 0) {
        const who = (loose & 0o007) === 0 ? 'its group can write it' : 'others can use it';
        throw new Error(`${file} is not kept: ${who}; run chmod 640 ${file}`);
      }
    }
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}
