import type { Finding } from '../driver.ts';

/** Told on every system; `user` is the number of who asked. */
export function notRoot(user: string): Finding {
  return {
    id: 'not-root',
    level: 'warning',
    what: `This was asked as user ${user}, not as root.`,
    why: 'What only root may look at seems to be missing or unusable.',
    remedy: 'sudo ar-exec doctor',
  };
}
