/** What an installation consists of, as data: packages and archives of every kind are made from it. */
export type Entry =
  | { readonly kind: 'folder'; readonly path: string; readonly mode: number }
  | {
      readonly kind: 'file';
      /** From the root of the machine, with a slash in front. */
      readonly path: string;
      readonly mode: number;
      readonly bytes: Buffer;
      /** An administrator may change it: an upgrade keeps what he wrote. */
      readonly config?: true;
    };

export function file(path: string, mode: number, content: string | Buffer): Entry {
  return { kind: 'file', path, mode, bytes: Buffer.from(content) };
}

/** The entries in the order of their paths, with the folders that they need before them. */
export function withFolders(entries: readonly Entry[]): Entry[] {
  const all = new Map<string, Entry>();
  for (const entry of entries) {
    const parts = entry.path.split('/').slice(1, -1);
    parts.forEach((_, index) => {
      const path = `/${parts.slice(0, index + 1).join('/')}`;
      if (!all.has(path)) all.set(path, { kind: 'folder', path, mode: 0o755 });
    });
  }
  for (const entry of entries) all.set(entry.path, entry);
  return [...all.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}
