import type { Settings } from '../../platform/driver.ts';
import type { Origin } from '../words.ts';

/** The driver of scripts, in the journal. */
export const scriptDriver = 'script';

/** How a script is told what to do; docs/drivers/script.md explains each. */
export type Dialect = 'auto' | 'argv' | 'json' | 'json-keys' | 'wcs';

/** What the journal keeps of a script with each of its actions: all that taking back needs. */
export interface Script {
  /** The response's name, and the file that does it. */
  readonly name: string;
  readonly folder: string;
  readonly file: string;
  readonly dialect: Dialect;
  /** `asked`: it is if the request has a timeout. */
  readonly stateful: 'yes' | 'no' | 'asked';
  /** Whether its runs are written to active-responses.log; observed by agent/report/report.ts. */
  readonly log: 'yes' | 'no';
  readonly extraArgs: readonly string[];
}

/** How it is done for one request. */
export interface Manner {
  readonly dialect: 'argv' | 'json' | 'wcs';
  readonly handshake: 'none' | 'possible' | 'required';
  /** A shell script that asks for arguments gets them too. */
  readonly wordsForShell: boolean;
}

export function toSettings({ extraArgs, ...script }: Script): Settings {
  return { ...script, extraArgs: JSON.stringify(extraArgs) };
}

export function fromSettings(settings: Settings): Script {
  const { extraArgs, ...script } = settings as unknown as Script & { extraArgs: string };
  return { ...script, extraArgs: JSON.parse(extraArgs) as string[] };
}

/** What `auto` means for a request is what the manager that asks would have done. */
export function mannerOf(dialect: Dialect, origin: Origin['dialect']): Manner {
  switch (dialect) {
    case 'argv':
      return { dialect: 'argv', handshake: 'none', wordsForShell: false };
    case 'json':
      return { dialect: 'json', handshake: 'none', wordsForShell: false };
    case 'json-keys':
      return { dialect: 'json', handshake: 'required', wordsForShell: false };
    case 'wcs':
      return { dialect: 'wcs', handshake: 'possible', wordsForShell: false };
    case 'auto':
      if (origin === 'ossec') return mannerOf('argv', origin);
      if (origin === 'wazuh5') return mannerOf('wcs', origin);
      return { dialect: 'json', handshake: 'possible', wordsForShell: true };
  }
}
