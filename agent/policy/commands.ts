import type { CommandDefinition, CommandMeaning, Commands } from '../words.ts';

/** A line of `ar.conf`, in which a manager tells its agents what its names stand for. */
export interface ArConfLine {
  readonly executable: string;
  /** 0: held until deleted. */
  readonly timeoutSeconds: number;
}

/** What is known of names now; `ar.conf` and the configuration may be read anew at any time. */
export interface KnownCommands {
  /** By name, its timeout behind it: `firewall-drop600`. */
  readonly arConf: ReadonlyMap<string, ArConfLine>;
  readonly definitions: readonly CommandDefinition[];
  /** What repeated offenders get, in seconds. */
  readonly repeatedOffenderSeconds: readonly number[];
}

/** A manager's own execd takes it back after its time; this much later it is ours to do. */
const graceSeconds = 60;

/** `known` is asked each time. */
export function createCommands(known: () => KnownCommands): Commands {
  return {
    find: (name) => {
      if (name.startsWith('!')) return { executable: name.slice(1) };
      const { arConf, definitions } = known();
      const line = arConf.get(name);
      if (line !== undefined) return meaning(line.executable, line.timeoutSeconds);
      return defined(name, definitions);
    },
    longest: (executable) => {
      const { arConf, repeatedOffenderSeconds } = known();
      const times = [...arConf.values()]
        .filter((line) => withoutEnding(line.executable) === withoutEnding(executable))
        .map(({ timeoutSeconds }) => timeoutSeconds);
      if (times.length === 0 || times.includes(0)) return undefined;
      return Math.max(...times, ...repeatedOffenderSeconds) + graceSeconds;
    },
  };
}

/** A manager writes the timeout behind the name; names may end in digits themselves. */
function defined(
  name: string,
  definitions: readonly CommandDefinition[],
): CommandMeaning | undefined {
  const fitting = definitions
    .filter((one) => name.startsWith(one.name) && /^\d*$/.test(name.slice(one.name.length)))
    .sort((a, b) => b.name.length - a.name.length)[0];
  if (fitting === undefined) return undefined;
  const seconds = Number(name.slice(fitting.name.length));
  return meaning(fitting.executable, fitting.timeoutAllowed ? seconds : 0);
}

function meaning(executable: string, seconds: number): CommandMeaning {
  return seconds === 0 ? { executable } : { executable, timeoutSeconds: seconds };
}

function withoutEnding(executable: string): string {
  return executable.replace(/\.(?:sh|exe|cmd)$/, '');
}
