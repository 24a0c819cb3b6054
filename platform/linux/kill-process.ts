/** Ends a process of Linux; see platform/any/process-ender.ts. */
import { defaults, processEnder } from '../any/process-ender.ts';
import type { OneShotKind, Usability } from '../driver.ts';
import type { StepResult } from '../step.ts';
import type { ProcessTarget } from '../target.ts';

export const killProcess: OneShotKind<ProcessTarget> = {
  name: 'kill-process',
  defaults,
  about: {
    systems: ['Linux'],
    add: 'SIGKILL, or SIGTERM before it, once program and start of the process are seen to be those that are meant',
    options: [
      'kill_process/grace',
      'kill_process/family',
      'kill_process/clock_skew',
      'kill_process/never',
    ],
  },
  make: (settings) =>
    processEnder(
      { name: 'kill-process', settings },
      {
        steps: [{ kind: 'read-file', path: '/proc/uptime' }],
        read: ([uptime]) => readProbe(uptime),
      },
    ),
};

function readProbe(uptime: StepResult | undefined): Usability {
  const usable = uptime?.failure === undefined && /^\d+\.\d\d /.test(uptime?.stdout ?? '');
  return {
    usable,
    why: usable ? 'processes in /proc' : '/proc does not tell of processes',
    families: [],
  };
}
