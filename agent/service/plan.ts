/** What has to be done so that the agent is a service of a system, and so that it is none any more. */
import { type Change, type LinesChange, type RunChange, runs } from './change.ts';
import {
  commandText,
  type LogPlace,
  launchdLabel,
  logrotateText,
  newsyslogLines,
  serviceText,
} from './files.ts';
import type { Layout } from './layout.ts';
import { managers } from './linux.ts';

export interface Wish {
  readonly layout: Layout;
  /** Which file becomes the program. */
  readonly from: string;
  readonly logs: LogPlace;
  /** Whether it is started now, too; it always is with the machine. */
  readonly start: boolean;
  /** What pf.conf is to have; absent: it is left alone. */
  readonly pf?: PfLine | undefined;
}

export interface PfLine {
  /** `anchor "ar-exec"`. */
  readonly line: string;
  readonly file: string;
  /** pf is on, so that the file is loaded anew. */
  readonly loaded: boolean;
}

export function planInstall({ layout, from, logs, start, pf }: Wish): Change[] {
  const { program, serviceFile, configFolder, stateFolder } = layout;
  return [
    { kind: 'folder', path: folderOf(program.file), mode: 0o755 },
    { kind: 'copy', path: program.file, from, mode: program.kind === 'module' ? 0o644 : 0o755 },
    ...commandFiles(layout),
    { kind: 'folder', path: configFolder, mode: 0o755 },
    { kind: 'folder', path: stateFolder, mode: 0o700 },
    ...(logs.group === undefined
      ? [{ kind: 'folder', path: logs.folder, mode: 0o755 } as const]
      : []),
    { kind: 'folder', path: folderOf(serviceFile), mode: 0o755 },
    {
      kind: 'write',
      path: serviceFile,
      text: serviceText(layout),
      mode: modeOf(layout),
    },
    ...besideService(layout).map(
      ([path, text]) => ({ kind: 'write', path, text, mode: 0o644 }) as const,
    ),
    ...rotation(layout, logs),
    ...(pf === undefined ? [] : addAnchor(pf)),
    ...enable(layout),
    ...(start ? starting(layout) : []),
  ];
}

/** The configuration, the journal and the logs stay. */
export function planRemove({ layout, pf }: Pick<Wish, 'layout' | 'pf'>): Change[] {
  const { program, serviceFile } = layout;
  return [
    ...disable(layout),
    { kind: 'remove', path: serviceFile },
    ...besideService(layout).map(([path]) => ({ kind: 'remove', path }) as const),
    ...(layout.system === 'linux' ? managers[layout.manager].forget : []),
    ...unrotate(layout),
    ...(pf === undefined ? [] : removeAnchor(pf)),
    // An executable has the same path as the command in front of a module.
    ...(program.kind === 'module' ? [{ kind: 'remove', path: program.command } as const] : []),
    ...(layout.system === 'darwin' ? [{ kind: 'remove', path: macPaths } as const] : []),
    { kind: 'remove', path: program.file },
  ];
}

function modeOf({ system, manager }: Layout): number {
  if (system === 'linux') return managers[manager].mode;
  return system === 'darwin' ? 0o644 : 0o755;
}

function besideService({ system, manager }: Layout) {
  return system === 'linux' ? managers[manager].beside : [];
}

/** path_helper(8) makes it part of everybody's PATH. */
const macPaths = '/etc/paths.d/ar-exec';

function commandFiles({ system, program }: Layout): Change[] {
  const command = program.kind === 'module' ? program.command : program.file;
  const paths: Change[] =
    system === 'darwin'
      ? [
          { kind: 'folder', path: folderOf(macPaths), mode: 0o755 },
          { kind: 'write', path: macPaths, text: `${folderOf(command)}\n`, mode: 0o644 },
        ]
      : [];
  if (program.kind === 'executable') return paths;
  return [
    { kind: 'folder', path: folderOf(command), mode: 0o755 },
    { kind: 'write', path: command, text: commandText(program), mode: 0o755 },
    ...paths,
  ];
}

function rotation(layout: Layout, logs: LogPlace): Change[] {
  const { by, file, shared } = layout.rotation;
  if (by === 'logrotate') {
    return [
      { kind: 'folder', path: folderOf(file), mode: 0o755 },
      { kind: 'write', path: file, text: logrotateText(logs), mode: 0o644 },
    ];
  }
  const lines = newsyslogLines(layout, logs);
  if (shared) return [{ kind: 'lines', path: file, lines, where: 'end' }];
  return [
    { kind: 'folder', path: folderOf(file), mode: 0o755 },
    { kind: 'write', path: file, text: `${lines.join('\n')}\n`, mode: 0o644 },
  ];
}

function unrotate({ rotation: { file, shared } }: Layout): Change[] {
  return shared
    ? [{ kind: 'lines', path: file, lines: [], where: 'end' }]
    : [{ kind: 'remove', path: file }];
}

/** A file that pf would not take is not put in its place; pf itself is never turned on or off. */
function addAnchor({ line, file, loaded }: PfLine): Change[] {
  return [
    { ...pfLines(file, [line]), copy: `${file}.before-ar-exec` },
    ...(loaded ? [loadPf(file)] : []),
  ];
}

function removeAnchor({ file, loaded }: PfLine): Change[] {
  return [pfLines(file, []), ...(loaded ? [loadPf(file)] : [])];
}

function pfLines(path: string, lines: readonly string[]): LinesChange {
  return { kind: 'lines', path, lines, where: 'rules', check: ['pfctl', '-n', '-f'] };
}

function loadPf(path: string): RunChange {
  return { kind: 'run', argv: ['pfctl', '-f', path], only: { path } };
}

/** So that it is started with the machine. */
function enable({ system, manager }: Layout): readonly Change[] {
  switch (system) {
    case 'linux':
      return managers[manager].enable;
    case 'freebsd':
      return [runs('sysrc ar_exec_enable=YES')];
    case 'dragonfly':
      return [rcConf('ar_exec_enable="YES"')];
    case 'netbsd':
      return [rcConf('ar_exec=YES')];
    case 'openbsd':
      return [runs('rcctl enable ar_exec')];
    case 'darwin':
      return [runs(`launchctl enable system/${launchdLabel}`)];
  }
}

function rcConf(line?: string): LinesChange {
  const lines = line === undefined ? [] : [line];
  return { kind: 'lines', path: '/etc/rc.conf', lines, where: 'end' };
}

function starting({ system, manager, serviceFile }: Layout): readonly Change[] {
  const only = 'changed';
  switch (system) {
    case 'linux':
      return managers[manager].start;
    case 'freebsd':
    case 'dragonfly':
    case 'netbsd':
      return [runs(`${serviceFile} restart`, { only })];
    case 'openbsd':
      return [runs('rcctl restart ar_exec', { only })];
    case 'darwin':
      return [
        runs(`launchctl bootout system/${launchdLabel}`, { only, mayFail: true }),
        runs(`launchctl bootstrap system ${serviceFile}`, { only }),
      ];
  }
}

/** What says no has not run, or was never enabled. */
function disable({ system, manager, serviceFile }: Layout): readonly Change[] {
  const mayFail = true;
  switch (system) {
    case 'linux':
      return managers[manager].disable;
    case 'freebsd':
      return [
        runs(`${serviceFile} onestop`, { mayFail }),
        runs('sysrc -x ar_exec_enable', { mayFail }),
      ];
    case 'dragonfly':
    case 'netbsd':
      return [runs(`${serviceFile} onestop`, { mayFail }), rcConf()];
    case 'openbsd':
      return [runs('rcctl stop ar_exec', { mayFail }), runs('rcctl disable ar_exec', { mayFail })];
    case 'darwin':
      return [runs(`launchctl bootout system/${launchdLabel}`, { mayFail })];
  }
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}
