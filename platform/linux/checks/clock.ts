/** Deadlines stand in the journal by the wall clock: one that is set while no agent runs moves them. */
import type { Finding, Question } from '../../driver.ts';

export const clock: Question<readonly Finding[]> = {
  steps: [
    {
      kind: 'command',
      tool: 'timedatectl',
      args: ['show', '--property=NTPSynchronized'],
      deadlineMs: 5_000,
    },
  ],
  read: ([answer]) => {
    const said = /^NTPSynchronized=(yes|no)$/m.exec(answer?.stdout ?? '')?.[1];
    if (said === 'yes') {
      return [{ id: 'clock-synchronised', level: 'ok', what: 'The clock is synchronised.' }];
    }
    if (said === 'no') return [unsynchronised];
    return [unknown];
  },
};

const unsynchronised: Finding = {
  id: 'clock-not-synchronised',
  level: 'warning',
  what: 'The clock of this machine is not synchronised.',
  why: 'If it is set while no agent runs, blocks end too early or too late; and what is logged here does not fit what is logged elsewhere.',
  remedy: 'timedatectl set-ntp true (or start chronyd)',
};

const unknown: Finding = {
  id: 'clock-unknown',
  level: 'note',
  what: 'Whether the clock is synchronised cannot be told here: timedatectl does not answer.',
  why: 'If the clock is set while no agent runs, blocks end too early or too late.',
};
