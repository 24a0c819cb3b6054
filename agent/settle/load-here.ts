import { currentSystem } from '../config/default-paths.ts';
import { type Loaded, loadConfig } from '../config/load.ts';
import { readAccess, whyUntrusted } from '../system/windows/acl.ts';
import { knownNames } from './known-names.ts';

/**
 * Loads this machine's configuration: the file that is named, or the default one. Throws `config-invalid`,
 * also where somebody could change the file who could not do anything anyway.
 */
export function loadHere(file: string | undefined): Promise<Loaded> {
  return loadConfig({
    ...(file === undefined ? {} : { file }),
    known: knownNames,
    ...(currentSystem() === 'win32' ? { whyOpen } : {}),
  });
}

/** In a folder others may make files of their own; what is in it they may not take away or rename. */
function whyOpen(path: string, kind: 'file' | 'folder'): string | undefined {
  return whyUntrusted(readAccess(path), kind === 'file' ? ['content', 'place'] : ['place']);
}
