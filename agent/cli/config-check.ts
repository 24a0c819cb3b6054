import type { CommandModule } from 'yargs';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/settings.ts';
import { knownNames } from '../known-names.ts';
import { type CommonFlags, placesOf } from './agent.ts';
import { print, printJson } from './output.ts';

export const configCommand: CommandModule<object, CommonFlags> = {
  command: 'config <what>',
  describe: 'Check the configuration: "config check"',
  builder: (parser) =>
    parser
      .positional('what', { choices: ['check'] as const, describe: 'what to do with it' })
      .example('$0 config check --config ./my.conf', '') as never,
  handler: async (flags) => {
    const { config: file } = placesOf(flags);
    const loaded = await loadConfig({ ...(file === undefined ? {} : { file }), known: knownNames });
    const { composeInMemory } = await import('./direct.ts');
    const composed = await composeInMemory({ ...flags });
    const { choices } = composed.settled();
    const source = loaded.file ?? 'no file: everything has its default';
    if (flags.json) {
      const { drivers, neverBlock, ...rest } = loaded.config;
      printJson({
        ok: true,
        file: loaded.file ?? null,
        warnings: loaded.warnings,
        choices,
        config: {
          ...rest,
          neverBlock: neverBlock.map(({ text }) => text),
          drivers: Object.fromEntries(drivers),
        },
      });
    } else print([source, ...sentences(loaded.config), ...choices].join('\n'));
  },
};

function sentences(config: Config): string[] {
  const { limits, history } = config;
  const never = config.neverBlock.map(({ text }) => text);
  return [
    never.length === 0
      ? 'Never blocked: only what the agent protects by itself.'
      : `Never blocked, besides what the agent protects by itself: ${never.join(', ')}.`,
    config.managers.length === 0
      ? 'No manager is named.'
      : `Managers, never blocked either: ${config.managers.join(', ')}.`,
    `Prefixes wider than /${config.widestPrefixIpv4} (IPv4) or /${config.widestPrefixIpv6} (IPv6) are refused.`,
    ...[...config.drivers].map(
      ([response, names]) => `${response} may use ${names.join(', then ')} and nothing else.`,
    ),
    `host-deny edits ${config.hostsDenyFile}.`,
    config.onStop === 'keep'
      ? 'When the agent is stopped, what is held stays in force.'
      : 'When the agent is stopped, everything is taken back.',
    `Journal and machine are compared every ${config.reconcileEverySeconds} s.`,
    `What is over is remembered for ${history.keepDays} days, ${history.keepEntries} entries at most.`,
    `Limits: ${limits.connections} connections, ${limits.messageBytes} bytes a message, ${limits.pendingRequests} requests waiting, ${limits.activeActions} actions held.`,
  ];
}
