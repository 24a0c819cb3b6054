/** Named pipes, which Windows has in the place of Unix sockets. */

const place = /^[\\/]{2}[.?][\\/]pipe[\\/](.+)$/is;

/** The name of a pipe without the place where pipes are; undefined for a path that is none. */
export function pipeName(path: string): string | undefined {
  return place.exec(path)?.[1];
}

/** What to connect to: a pipe as Windows itself writes it. */
export function connectable(path: string): string {
  const name = pipeName(path);
  return name === undefined ? path : `\\\\.\\pipe\\${name}`;
}
