/** Who asks: id(1) is on every BSD and on macOS. */
import { notRoot } from '../../any/not-root.ts';
import type { Finding, Question } from '../../driver.ts';

export const rights: Question<readonly Finding[]> = {
  steps: [{ kind: 'command', tool: 'id', args: ['-u'] }],
  read: ([asked]) => {
    const user = /^(\d+)$/m.exec(asked?.stdout ?? '')?.[1];
    return user === undefined || user === '0' ? [] : [notRoot(user)];
  },
};
