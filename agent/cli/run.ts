import type { CommandModule } from 'yargs';
import { currentSystem } from '../config/default-paths.ts';
import type { Agent } from '../daemon.ts';
import { type CommonFlags, placesOf } from './agent.ts';

interface RunFlags extends CommonFlags {
  readonly service: boolean;
}

export const runCommand: CommandModule<object, RunFlags> = {
  command: 'run',
  describe: 'Run the agent in the foreground',
  builder: (parser) =>
    parser
      // For the service control manager of Windows, and for nobody else.
      .option('service', { type: 'boolean', default: false, hidden: true })
      .example('$0 run', 'with the default places')
      .example(
        '$0 run --config ./my.conf --state /tmp/state --socket /tmp/ar-exec.sock',
        'with places of its own',
      ) as never,
  handler: async (flags) => {
    if (flags.service) {
      const { runService } = await import('./run-service.ts');
      return runService(flags);
    }
    const { startAgent } = await import('../daemon.ts');
    const stopAsked = new Promise<void>((resolve) => {
      process.once('SIGTERM', () => resolve());
      process.once('SIGINT', () => resolve());
      // Ctrl+Break. That the window is closed comes as SIGHUP there, and ten seconds later Windows ends us.
      process.once('SIGBREAK', () => resolve());
      if (currentSystem() === 'win32') process.once('SIGHUP', () => resolve());
    });
    let agent: Agent | undefined;
    // Who closed the terminal or rotates logs did not ask the agent to stop.
    if (currentSystem() !== 'win32') process.on('SIGHUP', () => void agent?.hangUp());
    agent = await startAgent(placesOf(flags));
    await stopAsked;
    await agent.stop();
  },
};
