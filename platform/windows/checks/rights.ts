import type { Finding, Question } from '../../driver.ts';

/** The key of the account LocalService, which only administrators may read; its status tells. */
export const rights: Question<readonly Finding[]> = {
  steps: [{ kind: 'command', tool: 'reg', args: ['query', 'HKU\\S-1-5-19'] }],
  read: ([elevated]) => {
    if (elevated?.failure !== 'exit') return [];
    return [
      {
        id: 'not-root',
        level: 'warning',
        what: 'This prompt is not elevated: only an administrator may change rules, routes and accounts.',
        remedy: 'Open a prompt with "Run as administrator".',
      },
    ];
  },
};
