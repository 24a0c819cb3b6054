/** What this process may do: most drivers need root and CAP_NET_ADMIN. */
import { notRoot } from '../../any/not-root.ts';
import type { Finding, Question } from '../../driver.ts';
import { askContainer, isContainer } from './container.ts';

/** capabilities(7); the number is that of linux/capability.h. */
const netAdmin = 1n << 12n;

export const rights: Question<readonly Finding[]> = {
  steps: [{ kind: 'read-file', path: '/proc/self/status' }, ...askContainer],
  read: ([status, ...container]) => {
    const text = status?.stdout ?? '';
    const user = /^Uid:\s+\d+\s+(\d+)/m.exec(text)?.[1];
    const capabilities = /^CapEff:\s+([0-9a-f]+)/m.exec(text)?.[1];
    if (user === undefined || capabilities === undefined) return [];
    const contained = isContainer(container);
    return [
      ...(user === '0' ? [] : [notRoot(user)]),
      ...(user === '0' && (BigInt(`0x${capabilities}`) & netAdmin) === 0n
        ? [noNetAdmin(contained)]
        : []),
      ...(contained ? [inContainer] : []),
    ];
  },
};

function noNetAdmin(contained: boolean): Finding {
  return {
    id: 'no-net-admin',
    level: 'problem',
    what: 'This process is root without CAP_NET_ADMIN.',
    why: 'The packet filter and the routes cannot be changed.',
    remedy: contained
      ? 'Start the container with --cap-add=NET_ADMIN (and --network=host, if it is to guard its host).'
      : 'Give the service CAP_NET_ADMIN (systemd: CapabilityBoundingSet=).',
  };
}

const inContainer: Finding = {
  id: 'container',
  level: 'note',
  what: 'This is a container.',
  why: "Blocks act in its network, and accounts, processes and files are those of the container. They are the host's only where the two are shared.",
  remedy: 'To guard the host, run ar-exec on the host, or share its network (--network=host).',
};
