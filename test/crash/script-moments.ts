/** The moments of a script's run at which the agent is killed. */

/** In the order in which they come. */
export const scriptMoments = {
  add: [
    'before-intent',
    'after-intent',
    'before-start',
    /** It has named its keys, and that is not written down yet. */
    'asked',
    /** It has been told to go on, or is about to be. */
    'answered',
    /** It is at work, and goes on without the agent. */
    'acting',
    'after-end',
    'after-outcome',
  ],
  delete: ['before-intent', 'after-intent', 'before-start', 'acting', 'after-end', 'after-outcome'],
} as const;
