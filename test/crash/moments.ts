/** What an agent can be at when it is killed. */
export type During = 'add' | 'delete' | 'recovery';

/** A moment in it, in the order in which they come. */
export type Moment =
  | 'before-intent'
  | 'after-intent'
  /** It has asked the machine what there is. */
  | 'after-look'
  | 'before-tool'
  /** The tool runs, and goes on without the agent. */
  | 'tool-begins'
  | 'after-tool'
  | 'before-outcome'
  | 'after-outcome';

/** The moments of work that needs a tool. */
export const moments: readonly Moment[] = [
  'before-intent',
  'after-intent',
  'before-tool',
  'tool-begins',
  'after-tool',
  'before-outcome',
  'after-outcome',
];

/** Where no tool has anything to do. */
export const momentsWithoutTool: readonly Moment[] = moments.filter(
  (moment) => !moment.includes('tool'),
);

/** Enough of them, where the way is that of another request: each leaves another state behind. */
export const momentsOfExpiry: readonly Moment[] = ['after-intent', 'tool-begins', 'before-outcome'];

/** Recovery looks, repairs and writes down; it intends nothing. */
export const momentsOfRecovery: readonly Moment[] = [
  'after-look',
  'tool-begins',
  'before-outcome',
  'after-outcome',
];
