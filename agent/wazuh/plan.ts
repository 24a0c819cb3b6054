/** What has to be done so that ar-exec does the work of a manager's agent, and so that it is as before. */
import { join } from 'node:path';
import { findResponse } from '../policy/responses.ts';
import type { Change, RunChange } from '../service/change.ts';
import { execqSocketText, standInText } from './files.ts';
import { binOf, type Executable, keptOf, type Situation } from './situation.ts';

/** `names`: the executables are links to ar-exec; `execd`: ar-exec reads the queue itself. */
export type Way = 'names' | 'execd';

/** The manager's agent starts this one itself, with other words. */
const leftAlone = ['restart.sh'];
const socketUnit = '/etc/systemd/system/ar-exec-execq.socket';

/** Which executables become links: those that ar-exec has a response for, or those that are named. */
export function chosen(
  { executables }: Pick<Situation, 'executables'>,
  only: readonly string[] | undefined,
): readonly Executable[] {
  if (only === undefined) return executables.filter(({ name }) => isKnown(name));
  const absent = { now: 'absent', kept: false, packaged: false, diverted: false } as const;
  return only.map((name) => executables.find((one) => one.name === name) ?? { name, ...absent });
}

export function isKnown(name: string): boolean {
  if (leftAlone.includes(name)) return false;
  return findResponse(name) !== undefined || findResponse(name.replace(/\.sh$/, '')) !== undefined;
}

/** `program` is what the links lead to. */
export function planNames(
  { home }: Situation,
  names: readonly Executable[],
  program: string,
): Change[] {
  const links = names.flatMap((one): Change[] => {
    const path = join(binOf(home), one.name);
    return [...keep(home, path, one), { kind: 'link', path, to: program }];
  });
  return [folder(home), ...links];
}

export function planNamesBack({ home }: Situation, names: readonly Executable[]): Change[] {
  const back = names.flatMap((one) => giveBack(home, join(binOf(home), one.name), one));
  return [...back, { kind: 'remove-folder', path: keptOf(home) }];
}

export function planExecd(situation: Situation, configFile: string): Change[] {
  const { home, execd, gid, group, product, systemd } = situation;
  const path = join(home, 'bin', execd.name);
  return [
    control(situation, 'stop'),
    folder(home),
    ...keep(home, path, execd),
    { kind: 'write', path, text: standInText, mode: 0o750, gid },
    { kind: 'lines', path: configFile, lines: setting(situation), where: 'xml' },
    ...(systemd
      ? [
          {
            kind: 'write',
            path: socketUnit,
            text: execqSocketText(queueOf(home, product), group),
            mode: 0o644,
          } as const,
          run('systemctl daemon-reload'),
          run('systemctl enable --now ar-exec-execq.socket'),
          run('systemctl restart ar-exec.service', true),
        ]
      : []),
    control(situation, 'start'),
  ];
}

export function planExecdBack(situation: Situation, configFile: string): Change[] {
  const { home, execd, systemd } = situation;
  return [
    control(situation, 'stop'),
    { kind: 'lines', path: configFile, lines: [], where: 'xml' },
    ...giveBack(home, join(home, 'bin', execd.name), execd),
    ...(systemd
      ? [
          run('systemctl disable --now ar-exec-execq.socket', true),
          { kind: 'remove', path: socketUnit } as const,
          run('systemctl daemon-reload'),
          run('systemctl restart ar-exec.service', true),
        ]
      : []),
    { kind: 'remove-folder', path: keptOf(home) },
    control(situation, 'start'),
  ];
}

function queueOf(home: string, product: Situation['product']): string {
  return join(home, product === 'wazuh5' ? 'queue/sockets/execq' : 'queue/alerts/execq');
}

function setting({ home, product }: Situation): string[] {
  return [
    '<ar-exec>',
    `  <manager_home>${home.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</manager_home>`,
    `  <manager_queue>${product}</manager_queue>`,
    '</ar-exec>',
  ];
}

function folder(home: string): Change {
  return { kind: 'folder', path: keptOf(home), mode: 0o700 };
}

/**
 * What is there gets a second name before ours takes the first: there is no moment without either. A
 * package would put its own back with the next version; dpkg is told to put it where the old one is kept.
 */
function keep(home: string, path: string, { name, now, packaged, diverted }: Executable): Change[] {
  const kept = join(keptOf(home), name);
  return [
    ...(now === 'theirs' ? [{ kind: 'keep', path: kept, from: path } as const] : []),
    ...(packaged && !diverted ? [divert('--divert', kept, '--add', path)] : []),
  ];
}

function giveBack(
  home: string,
  path: string,
  { name, now, kept, diverted }: Executable,
): readonly Change[] {
  const from = join(keptOf(home), name);
  const undo = diverted ? [divert('--remove', path)] : [];
  // An update that brought a new one: what is kept is the old one.
  if (now === 'theirs')
    return [...undo, ...(kept ? [{ kind: 'remove', path: from } as const] : [])];
  if (kept) return [{ kind: 'move', path, from }, ...undo];
  return now === 'ours' ? [{ kind: 'remove', path }, ...undo] : undo;
}

/** dpkg-divert(1): `--no-rename`, as the files are where they belong already. */
function divert(...words: readonly string[]): RunChange {
  return { kind: 'run', argv: ['dpkg-divert', '--quiet', '--local', '--no-rename', ...words] };
}

/** By its unit where there is one, otherwise by its own script; one that is not there is not stopped. */
function control({ home, product, unit }: Situation, verb: 'start' | 'stop'): RunChange {
  const script = join(home, 'bin', product === 'ossec' ? 'ossec-control' : 'wazuh-control');
  const argv = unit === undefined ? [script, verb] : ['systemctl', verb, unit];
  return { kind: 'run', argv, mayFail: true };
}

function run(line: string, mayFail = false): RunChange {
  return { kind: 'run', argv: line.split(' '), mayFail };
}
