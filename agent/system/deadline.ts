/** How long a step may take that says nothing else; what others say is meant for this. */
export const usualDeadlineMs = 20_000;

/** In proportion; but what is to be quicker than others is not given less than all have. */
export function deadlineWithin(ms: number, limitMs: number): number {
  return Math.max(Math.ceil((ms * limitMs) / usualDeadlineMs), Math.min(ms, limitMs));
}
