import type { System } from '../../platform/system.ts';
import { currentSystem } from '../config/default-paths.ts';
import { findResponse, type ResponseDefinition } from '../policy/responses.ts';

/** What this executable was started as, where that is the name of a response. */
export interface Called {
  /** As it was called: `active-response/bin/firewall-drop`. It begins every line of the log. */
  readonly program: string;
  /** Its last part. */
  readonly name: string;
  /** The name by which the agent knows it, as a path. */
  readonly known: string;
  readonly target: ResponseDefinition['target'];
  /** What to say where no system but another one has what it stands for. */
  readonly foreign?: Foreign | undefined;
  /** Windows: the folder of the manager's agent that it lies in. */
  readonly home?: string | undefined;
  /** Why nothing is done under this name, whatever is asked for. */
  readonly misplaced?: string | undefined;
}

/** How upstream's executables for other systems end on this one, after their handshake. */
interface Foreign {
  readonly lines: readonly string[];
  readonly status: number;
}

const otherSystem: Foreign = { lines: ['Invalid system', 'Ended'], status: 0 };
const noNpf: Foreign = { lines: ['The NPFCTL is not accessible'], status: 255 };
/** `but`: the systems where the name is that of a response. */
const foreigners = new Map<string, { readonly foreign: Foreign; readonly but: readonly System[] }>([
  ['netsh', { foreign: otherSystem, but: ['win32'] }],
  ['ipfw', { foreign: otherSystem, but: ['freebsd'] }],
  ['ipfw_mac', { foreign: otherSystem, but: ['darwin'] }],
  ['pf', { foreign: otherSystem, but: ['freebsd', 'openbsd', 'darwin'] }],
  ['npf', { foreign: noNpf, but: ['netbsd'] }],
]);

/** What Windows has under the same name, and calls with words of its own. */
const windowsTools = ['netsh'];

/**
 * The response that the name stands for, with or without the ending of a script; `ar-exec` is none. On
 * Windows the name is that of the file: `argv0` can be anything there.
 */
export function calledAs(
  argv0: string,
  systemOf = currentSystem,
  file = process.execPath,
): Called | undefined {
  if (systemOf() !== 'win32') return calledOn(argv0, systemOf);
  const path = file.replaceAll('\\', '/');
  const [, home, name = path.slice(path.lastIndexOf('/') + 1)] =
    /^(.*)\/active-response\/bin\/([^/]+)$/i.exec(path) ?? [];
  // The decoders of managers know this form of it.
  const program = home === undefined ? name : `active-response/bin/${name}`;
  const called = calledOn(program.toLowerCase(), systemOf);
  if (called === undefined) return undefined;
  if (home === undefined && windowsTools.includes(called.name.replace(/\.\w+$/, ''))) {
    return { ...called, program, misplaced: `${file} is ar-exec, and not the ${name} of Windows` };
  }
  return { ...called, program, name, home };
}

function calledOn(argv0: string, systemOf: () => System): Called | undefined {
  const name = argv0.slice(argv0.lastIndexOf('/') + 1);
  const bare = name.replace(/\.(?:sh|exe|cmd)$/, '');
  const found = foreigners.get(bare);
  if (found !== undefined && !found.but.includes(systemOf())) {
    return { program: argv0, name, known: argv0, target: 'address', foreign: found.foreign };
  }
  const exact = findResponse(name);
  const definition = exact ?? findResponse(bare);
  if (definition !== undefined) {
    const known = exact === undefined ? argv0.slice(0, argv0.length - name.length) + bare : argv0;
    const { target } = definition;
    return { program: argv0, name, known, target };
  }
  if (!/(?:^|\/)active-response\/bin\/(?!ar-exec)[^/]+$/.test(argv0)) return undefined;
  // A name that was linked by mistake. The agent is not asked: it could take the link for a script.
  const unknown = { lines: [`there is no response ${name} in ar-exec`], status: 255 };
  return { program: argv0, name, known: argv0, target: 'named', foreign: unknown };
}
