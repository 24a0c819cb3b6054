/**
 * The environment of whoever starts the executable is not to say what the Node inside does: to write
 * files (NODE_V8_COVERAGE), or to trust anybody (NODE_TLS_REJECT_UNAUTHORIZED). What Node reads before
 * our first line is switched off where the executable is made: NODE_OPTIONS and OPENSSL_CONF
 * (build/executable.ts). Nothing does that for NODE_COMPILE_CACHE.
 */
import { isSea } from 'node:sea';

const notOurs = /^(?:NODE_|OPENSSL_|SSL_|UV_)/;
/** Certificates that are trusted besides: a webhook or a mail server can need them. */
const allowed: readonly string[] = ['NODE_EXTRA_CA_CERTS'];

/** The environment without what speaks to Node; undefined: there is nothing of it. */
export function withoutNodes(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> | undefined {
  const all = Object.entries(environment);
  const kept = all.filter(([name]) => !notOurs.test(name) || allowed.includes(name));
  if (kept.length === all.length) return undefined;
  return Object.fromEntries(kept.map(([name, value = '']) => [name, value]));
}

/** Becomes itself again with such an environment, in the same process. Returns if it is so already. */
export function startWithout(): void {
  const environment = withoutNodes(process.env);
  if (environment === undefined || !isSea()) return;
  for (const name of Object.keys(process.env)) {
    if (environment[name] === undefined) delete process.env[name];
  }
  // Node closes what it was passed (the sockets of a service manager) when it becomes another program.
  if (process.env['LISTEN_PID'] === String(process.pid)) return;
  // The name that it was called by says what is asked for, and is another one from now on.
  environment['AR_EXEC_CALLED'] ??= process.argv0;
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    // Where a system has no such call, that they are deleted has to do.
    process.execve?.(process.execPath, [process.argv0, ...process.argv.slice(2)], environment);
  } catch {
    process.emitWarning = emitWarning;
  }
}
