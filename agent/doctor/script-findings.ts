/** What there is to say about people's own scripts. */
import type { Finding } from '../../platform/driver.ts';
import type { System } from '../../platform/system.ts';

/** What a look at a script came to; it is looked at the same way before each run. */
export interface ScriptState {
  readonly name: string;
  /** The configuration has a <script> for it. */
  readonly declared: boolean;
  readonly fit: boolean;
  readonly kind?: 'absent' | 'untrusted' | undefined;
  readonly why?: string | undefined;
}

export function scriptFindings(scripts: readonly ScriptState[], system?: System): Finding[] {
  const owner = system === 'win32' ? 'administrators' : 'root';
  return scripts.flatMap(({ name, declared, fit, kind, why = '' }): Finding[] => {
    if (fit) return [];
    if (kind === 'untrusted') {
      return [
        {
          id: 'script-untrusted',
          level: 'warning',
          what: `The script ${name} is not run: ${why}.`,
          why: 'Whoever can change it can do what the agent can.',
          remedy: `Let ${owner} own it and its folders, and nobody else write to them.`,
        },
      ];
    }
    if (!declared) return [];
    return [
      {
        id: 'script-absent',
        level: 'warning',
        what: `The configuration declares the script ${name}, and it cannot be run: ${why}.`,
        remedy: 'Put the file there, or mend <script> in the configuration.',
      },
    ];
  });
}
