import type { CommandModule } from 'yargs';
import type { CommonFlags } from './agent.ts';
import { reloadConfig } from './config-reload.ts';

interface ConfigFlags extends CommonFlags {
  readonly what: 'check' | 'reload';
}

export const configCommand: CommandModule<object, ConfigFlags> = {
  command: 'config <what>',
  describe: 'Check the configuration and explain it, or have the agent read it anew',
  builder: (parser) =>
    parser
      .positional('what', { choices: ['check', 'reload'] as const, describe: 'what to do with it' })
      .example('$0 config check --config ./my.conf', '')
      .example('$0 config reload', '') as never,
  handler: async (flags) => {
    if (flags.what === 'reload') return reloadConfig(flags);
    const { checkConfig } = await import('./explain-config.ts');
    return checkConfig(flags);
  },
};
