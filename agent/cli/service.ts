import { createInterface } from 'node:readline/promises';
import type { CommandModule } from 'yargs';
import { isSystem, isUnix, type System, systems, type Unix } from '../../platform/system.ts';
import { currentSystem } from '../config/default-paths.ts';
import { ArError } from '../errors.ts';
import type { Done } from '../service/carry-out.ts';
import { changeText } from '../service/change.ts';
import type { PfLine } from '../service/plan.ts';
import type { Planned, ServiceWish } from '../service/service.ts';
import { type CommonFlags, placesOf } from './agent.ts';
import { oneLine, print, printJson, remark } from './output.ts';

interface ServiceFlags extends CommonFlags {
  readonly what: 'install' | 'remove';
  readonly dryRun: boolean;
  readonly root: string;
  readonly system?: string | undefined;
  readonly program?: string | undefined;
  readonly node?: string | undefined;
  readonly pf?: 'yes' | 'no' | undefined;
  readonly start: boolean;
}

export const serviceCommand: CommandModule<object, ServiceFlags> = {
  command: 'service <what>',
  describe: 'Make the agent a service of this machine, or have it be none any more',
  builder: (parser) =>
    parser
      .positional('what', { choices: ['install', 'remove'] as const, describe: 'what to do' })
      .option('dry-run', { type: 'boolean', default: false, describe: 'show it, and do nothing' })
      .option('start', { type: 'boolean', default: true, describe: 'start it now, too' })
      .option('pf', {
        choices: ['yes', 'no'] as const,
        describe:
          'whether pf.conf gets the line without which pf does not block; asked if not said',
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
      .example('$0 service remove', 'configuration, journal and logs stay') as never,
  handler: async (flags) => {
    const wish = await wishOf(flags);
    const { install, remove } = await import('../service/service.ts');
    const planned = await (flags.what === 'install' ? install(wish) : remove(wish));
    if (flags.dryRun) show(flags, planned);
    else tell(flags, planned, await planned.carryOut());
  },
};

async function wishOf(flags: ServiceFlags): Promise<ServiceWish> {
  const root = flags.root.replace(/\/+$/, '') || '/';
  const system = systemOf(flags, root);
  if (root === '/' && !flags.dryRun && process.getuid?.() !== 0) {
    throw new ArError(
      'usage-invalid',
      'only root can do this',
      `sudo ar-exec service ${flags.what}`,
    );
  }
  const { config } = placesOf(flags);
  const { createRunner } = await import('../system/runner.ts');
  return {
    system,
    root,
    program: flags.program,
    node: flags.node,
    config,
    start: flags.start,
    run: root === '/' && system === currentSystem() ? createRunner() : undefined,
    pf: (line) =>
      flags.pf === undefined ? askForPf(flags, line) : Promise.resolve(flags.pf === 'yes'),
  };
}

/** Another system's files on this machine would only be in the way. */
function systemOf(flags: ServiceFlags, root: string): Unix {
  const system = chosenSystem(flags, root);
  if (isUnix(system)) return system;
  throw new ArError(
    'usage-invalid',
    `ar-exec does not make itself a service of ${systems[system]} yet`,
    'Start "ar-exec run" at the start of the machine.',
  );
}

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

function show({ json }: ServiceFlags, { changes, remarks }: Planned): void {
  if (json) {
    printJson({ ok: true, changes, remarks });
    return;
  }
  remark('nothing is done');
  print(changes.map(changeText).join('\n'));
  for (const one of remarks) remark(one);
}

function tell({ json }: ServiceFlags, { remarks }: Planned, done: readonly Done[]): void {
  if (json) {
    printJson({
      ok: true,
      done: done.map(({ change, ...rest }) => ({ ...nameOf(change), ...rest })),
      remarks,
    });
    return;
  }
  const lines = done.flatMap(({ change, outcome, said }) => {
    const [what = ''] = changeText(change).split('\n');
    if (outcome === 'done') return [what];
    return outcome === 'no' ? [`${what}  # ${oneLine(said ?? '')}`] : [];
  });
  print(lines.length === 0 ? 'All is so already.' : lines.join('\n'));
  for (const one of remarks) remark(one);
}

function nameOf(change: Done['change']): object {
  return change.kind === 'run'
    ? { kind: change.kind, argv: change.argv }
    : { kind: change.kind, path: change.path };
}
