/** What ends connections that stand already when an address is blocked. */
import type { Finding, Question } from '../../driver.ts';

const tools = [
  { name: 'ss', ends: 'connections of this machine itself' },
  { name: 'conntrack', ends: 'connections that are forwarded or translated' },
] as const;

export const flowTools: Question<readonly Finding[]> = {
  steps: tools.map(({ name }) => ({ kind: 'command', tool: name, args: ['--version'] })),
  read: (results) =>
    tools.flatMap(({ name, ends }, index): Finding[] =>
      results[index]?.failure === 'missing' ? [missing(name, ends)] : [],
    ),
};

function missing(tool: string, ends: string): Finding {
  return {
    id: 'flow-tool-missing',
    level: 'note',
    what: `${tool} is not installed: ${ends} are not ended by a block that does not do so by itself.`,
    why: 'A rule of the packet filter stops connections that stand; a line in hosts.deny or a route for one direction does not.',
    missing: [tool],
  };
}
