import type { CommandModule } from 'yargs';
import type { CommonFlags } from './agent.ts';

export interface AlertFlags extends CommonFlags {
  readonly file?: string | undefined;
  readonly dryRun: boolean;
}

export const alertCommand: CommandModule<object, AlertFlags> = {
  command: 'alert',
  describe: 'Have alerts answered as the configuration says: from standard input, one a line',
  builder: (parser) =>
    parser
      .option('file', { type: 'string', describe: 'read them from this file, once' })
      .option('dry-run', {
        type: 'boolean',
        default: false,
        describe: 'say what each would set off, and why nothing else; touch nothing',
      })
      .example('$0 alert < alert.json', '')
      .example('$0 alert --dry-run --file /var/ossec/logs/alerts/alerts.json', '') as never,
  handler: async (flags) => {
    const { sendAlerts } = await import('./send-alerts.ts');
    await sendAlerts(flags);
  },
};
