/** Ends a process of Windows; see platform/any/process-ender.ts. */
import { defaults, processEnder } from '../any/process-ender.ts';
import type { OneShotKind } from '../driver.ts';
import type { ProcessTarget } from '../target.ts';
import { nativeCalls } from './native-calls.ts';

export const killProcessWindows: OneShotKind<ProcessTarget> = {
  name: 'kill-process-windows',
  defaults,
  about: {
    systems: ['Windows'],
    add: 'ends the process by its handle, once its program and start are seen to be those that are meant',
    options: ['kill_process/family', 'kill_process/clock_skew', 'kill_process/never'],
  },
  make: (settings) =>
    processEnder({ name: 'kill-process-windows', settings }, nativeCalls('by its handle'), 'win32'),
};
