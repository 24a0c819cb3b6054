import type { CommandModule } from 'yargs';
import type { Agent } from '../daemon.ts';
import { type CommonFlags, placesOf } from './agent.ts';

export const runCommand: CommandModule<object, CommonFlags> = {
  command: 'run',
  describe: 'Run the agent in the foreground',
  builder: (parser) =>
    parser
      .example('$0 run', 'with the default places')
      .example(
        '$0 run --config ./my.conf --state /tmp/state --socket /tmp/ar-exec.sock',
        'with places of its own',
      ) as never,
  handler: async (flags) => {
    const { startAgent } = await import('../daemon.ts');
    const stopAsked = new Promise<void>((resolve) => {
      process.once('SIGTERM', () => resolve());
      process.once('SIGINT', () => resolve());
    });
    let agent: Agent | undefined;
    // Who closed the terminal or rotates logs did not ask the agent to stop.
    process.on('SIGHUP', () => void agent?.hangUp());
    agent = await startAgent(placesOf(flags));
    await stopAsked;
    await agent.stop();
  },
};
