import type { CommandModule } from 'yargs';
import type { Way } from '../wazuh/plan.ts';
import type { Product } from '../wazuh/situation.ts';
import { type CommonFlags, placesOf } from './agent.ts';
import { refuseOthers, show, tell } from './changes.ts';
import { oneLine, remark } from './output.ts';

interface WazuhFlags extends CommonFlags {
  readonly what: 'install' | 'uninstall';
  readonly way: Way;
  readonly home?: string | undefined;
  readonly as?: Product | undefined;
  readonly only?: string | undefined;
  readonly program?: string | undefined;
  readonly dryRun: boolean;
}

export const wazuhCommand: CommandModule<object, WazuhFlags> = {
  command: 'wazuh <what>',
  describe: 'Have ar-exec do the work of a Wazuh or OSSEC agent’s executables, or give it back',
  builder: (parser) =>
    parser
      .positional('what', { choices: ['install', 'uninstall'] as const, describe: 'what to do' })
      .option('way', {
        choices: ['names', 'execd'] as const,
        default: 'names',
        describe: 'links in the place of its executables, or ar-exec in the place of its execd',
      })
      .option('home', { type: 'string', describe: 'its folder; <manager_home> if not said' })
      .option('as', {
        choices: ['wazuh4', 'wazuh5', 'ossec'] as const,
        describe: 'what it is; found out if not said',
      })
      .option('only', { type: 'string', describe: 'names of executables, with commas between' })
      .option('program', { type: 'string', describe: 'what the links lead to; this if not said' })
      .option('dry-run', { type: 'boolean', default: false, describe: 'show it, and do nothing' })
      .example('$0 wazuh install --dry-run', '')
      .example('$0 wazuh install --only firewall-drop,host-deny', 'to begin with')
      .example('$0 wazuh uninstall', 'everything as it was') as never,
  handler: async (flags) => {
    if (!flags.dryRun) refuseOthers(`wazuh ${flags.what}`);
    const { installBeside, uninstallBeside } = await import('../wazuh/wazuh.ts');
    const { what, way, home, as, program, config } = flags;
    const only = flags.only?.split(',').filter((name) => name !== '');
    const wish = { way, home, as, only, program, config };
    const planned = await (what === 'install' ? installBeside(wish) : uninstallBeside(wish));
    if (flags.dryRun) return show(flags, planned);
    tell(flags, planned, await planned.carryOut());
    if (!flags.json) await tellTroubles(flags);
  },
};

/** What `ar-exec doctor` finds to be wrong now. */
async function tellTroubles(flags: CommonFlags): Promise<void> {
  const { examineAll } = await import('../checkup.ts');
  const { findings } = await examineAll(placesOf(flags));
  for (const { level, what, remedy } of findings) {
    if (level === 'note') continue;
    remark(oneLine(`${level}: ${what}${remedy === undefined ? '' : ` -> ${remedy}`}`));
  }
}
