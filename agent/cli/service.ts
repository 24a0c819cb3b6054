import { createInterface } from 'node:readline/promises';
import type { CommandModule } from 'yargs';
import { isSystem, isUnix, type System, systems, type Unix } from '../../platform/system.ts';
import { currentSystem } from '../config/default-paths.ts';
import { ArError, exitStatus } from '../errors.ts';
import { type Manager, managerNames } from '../service/layout.ts';
import type { PfLine } from '../service/plan.ts';
import type { Planned, ServiceWish } from '../service/service.ts';
import type { WindowsServiceWish } from '../service/windows/service.ts';
import { windowsText } from '../service/windows/text.ts';
import { type CommonFlags, placesOf } from './agent.ts';
import { refuseOthers, show, tell } from './changes.ts';
import { Ended, print, printJson } from './output.ts';

interface ServiceFlags extends CommonFlags {
  readonly what: 'install' | 'uninstall' | 'remove' | 'status';
  readonly dryRun: boolean;
  readonly root: string;
  readonly system?: string | undefined;
  readonly program?: string | undefined;
  readonly node?: string | undefined;
  readonly pf?: 'yes' | 'no' | undefined;
  readonly init?: Manager | undefined;
  readonly start: boolean;
}

export const serviceCommand: CommandModule<object, ServiceFlags> = {
  command: 'service <what>',
  describe: 'Make the agent a service of this machine, have it be none any more, or look',
  builder: (parser) =>
    parser
      .positional('what', {
        choices: ['install', 'uninstall', 'remove', 'status'] as const,
        describe: 'what to do; remove and uninstall are the same',
      })
      .option('dry-run', { type: 'boolean', default: false, describe: 'show it, and do nothing' })
      .option('start', { type: 'boolean', default: true, describe: 'start it now, too' })
      .option('pf', {
        choices: ['yes', 'no'] as const,
        describe:
          'whether pf.conf gets the line without which pf does not block; asked if not said',
      })
      .option('init', {
        choices: managerNames,
        describe: 'what starts services, on Linux; looked for if not said',
      })
      .option('program', { type: 'string', describe: 'the file to install; this one if not said' })
      .option('node', { type: 'string', describe: 'the Node that runs it, if it is JavaScript' })
      .option('root', { type: 'string', default: '/', describe: 'a folder in place of /' })
      .option('system', {
        choices: Object.keys(systems),
        describe: 'with --root: for which system',
      })
      .example('$0 service install --dry-run', '')
      .example('$0 service install --pf yes', 'on FreeBSD and OpenBSD, where pf is used')
      .example('$0 service status', '')
      .example('$0 service uninstall', 'configuration, journal and logs stay') as never,
  handler: async (flags) => {
    const root = flags.root.replace(/\/+$/, '') || '/';
    if (flags.what === 'status') return tellState(flags, currentSystem());
    const system = chosenSystem(flags, root);
    const planned = isUnix(system)
      ? await planOnUnix(flags, { system, root })
      : await planOnWindows(flags, root);
    const text = isUnix(system) ? undefined : windowsText;
    if (flags.dryRun) show(flags, planned, text);
    else tell(flags, planned, await planned.carryOut(), text);
  },
};

async function tellState({ json }: ServiceFlags, system: System): Promise<void> {
  const { createRunner } = await import('../system/runner.ts');
  const { stateOnUnix } = await import('../service/state.ts');
  const { stateOnWindows } = await import('../service/windows/service.ts');
  const state = isUnix(system) ? await stateOnUnix(system, createRunner()) : stateOnWindows();
  const { installed, running } = state;
  if (json) printJson({ ok: true, ...state });
  else if (!installed) print('ar-exec is no service of this machine.');
  else print(`ar-exec is a service of this machine, and ${running ? 'runs' : 'does not run'}.`);
  if (!running) throw new Ended(exitStatus.unwell);
}

async function planOnUnix(
  flags: ServiceFlags,
  place: { readonly system: Unix; readonly root: string },
): Promise<Planned> {
  const wish = await wishOf(flags, place);
  const { install, remove } = await import('../service/service.ts');
  return flags.what === 'install' ? install(wish) : remove(wish);
}

async function planOnWindows(flags: ServiceFlags, root: string): Promise<Planned> {
  const here = currentSystem() === 'win32';
  if (root !== '/') {
    throw new ArError(
      'usage-invalid',
      'on Windows the places are fixed: --root is for other systems',
      'Look with --dry-run, and install on the machine itself.',
    );
  }
  if (here && !flags.dryRun) await demandElevation();
  const { createRunner } = await import('../system/runner.ts');
  const { installOnWindows, removeOnWindows } = await import('../service/windows/service.ts');
  const wish: WindowsServiceWish = {
    program: flags.program,
    start: flags.start,
    run: here ? createRunner() : undefined,
  };
  return flags.what === 'install' ? installOnWindows(wish) : removeOnWindows(wish);
}

async function demandElevation(): Promise<void> {
  const { mayMakeServices } = await import('../system/windows/service-state.ts');
  if (mayMakeServices()) return;
  throw new ArError(
    'usage-invalid',
    'only an administrator can do this, and this prompt is not elevated',
    'Open a prompt with "Run as administrator", and say it again there.',
  );
}

async function wishOf(
  flags: ServiceFlags,
  { system, root }: { readonly system: Unix; readonly root: string },
): Promise<ServiceWish> {
  if (root === '/' && !flags.dryRun) refuseOthers(`service ${flags.what}`);
  const { config } = placesOf(flags);
  const { createRunner } = await import('../system/runner.ts');
  return {
    system,
    root,
    program: flags.program,
    node: flags.node,
    config,
    manager: flags.init,
    start: flags.start,
    run: root === '/' && system === currentSystem() ? createRunner() : undefined,
    pf: (line) =>
      flags.pf === undefined ? askForPf(flags, line) : Promise.resolve(flags.pf === 'yes'),
  };
}

/** Another system's files on this machine would only be in the way. */
function chosenSystem({ system, dryRun }: ServiceFlags, root: string): System {
  const here = currentSystem();
  if (system === undefined || system === here || !isSystem(system)) return here;
  if (root !== '/' || dryRun) return system;
  throw new ArError(
    'usage-invalid',
    `this machine runs ${systems[here]}`,
    'Name a folder with --root, or look only with --dry-run.',
  );
}

/** Nobody is asked who cannot answer. */
async function askForPf({ json, dryRun }: ServiceFlags, { line, file }: PfLine): Promise<boolean> {
  if (json || dryRun || !process.stdin.isTTY) return false;
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await asking.question(
      `pf blocks only if ${file} has the line  ${line}  before its first rule.\nPut it there, and keep a copy as ${file}.before-ar-exec? [y/N] `,
    );
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    asking.close();
  }
}
