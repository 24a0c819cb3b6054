import { expect, test } from 'vitest';
import { planFlows } from '../../platform/linux/flows.ts';
import { targets } from '../contract/driver-contract.ts';
import { failed, said, show } from './show.ts';

test('one address is asked for as it is', () => {
  expect(show(planFlows(targets(['203.0.113.7'])).steps)).toMatchInlineSnapshot(`
    "$ ss -K -H -t -u -n state connected exclude time-wait -F -
    dst 203.0.113.7
    $ ss -H -t -u -n state connected exclude time-wait -F -
    dst 203.0.113.7
    $ conntrack -D -f ipv4 -s 203.0.113.7
    $ conntrack -D -f ipv4 -d 203.0.113.7
    $ conntrack -D -f ipv4 -r 203.0.113.7
    $ conntrack -D -f ipv4 -q 203.0.113.7
    "
  `);
});

test('more of them are looked for in one reading of the table', () => {
  const plan = planFlows(targets(['203.0.113.0/24', '198.51.100.9', '2001:db8::/48']));
  expect(show(plan.steps)).toMatchInlineSnapshot(`
    "$ ss -K -H -t -u -n state connected exclude time-wait -F -
    dst 203.0.113.0/24 or
    dst 198.51.100.9 or
    dst [2001:db8::/48]
    $ ss -H -t -u -n state connected exclude time-wait -F -
    dst 203.0.113.0/24 or
    dst 198.51.100.9 or
    dst [2001:db8::/48]
    $ conntrack -L -f ipv4
    $ conntrack -L -f ipv6
    "
  `);
  const ipv4 = [
    // Of a prefix, towards a prefix, of neither, and translated on its way out and in.
    'tcp      6 299 ESTABLISHED src=203.0.113.7 dst=10.77.0.1 sport=1 dport=2 src=10.77.0.1 dst=203.0.113.7 sport=2 dport=1 [ASSURED] mark=0 use=1',
    'udp      17 29 src=10.77.0.1 dst=203.0.113.8 sport=1 dport=2 [UNREPLIED] src=203.0.113.8 dst=10.77.0.1 sport=2 dport=1 mark=0 use=1',
    'tcp      6 299 ESTABLISHED src=192.0.2.1 dst=10.77.0.1 sport=1 dport=2 src=10.77.0.1 dst=192.0.2.1 sport=2 dport=1 [ASSURED] mark=0 use=1',
    'icmp     1 29 src=10.77.0.1 dst=192.0.2.9 type=8 code=0 id=7 src=198.51.100.9 dst=10.77.0.1 type=0 code=0 id=7 mark=0 use=1',
    'udp      17 29 src=192.0.2.1 dst=192.0.2.2 sport=1 dport=2 src=192.0.2.2 dst=203.0.113.9 sport=2 dport=1 mark=0 use=1',
    '',
  ];
  const ipv6 =
    'tcp      6 299 ESTABLISHED src=2001:db8::7 dst=fd77::1 sport=1 dport=2 src=fd77::1 dst=2001:db8::7 sport=2 dport=1 [ASSURED] mark=0 use=1\n';
  const read = plan.read([said('one\ntwo\n'), said(''), said(ipv4.join('\n')), said(ipv6)]);
  expect(read).toMatchObject({ sockets: 2, flows: 0, troubles: [] });
  expect(show(read.next?.steps ?? [])).toMatchInlineSnapshot(`
    "$ conntrack -D -f ipv4 -s 203.0.113.7
    $ conntrack -D -f ipv4 -d 203.0.113.8
    $ conntrack -D -f ipv4 -r 198.51.100.9
    $ conntrack -D -f ipv4 -q 203.0.113.9
    $ conntrack -D -f ipv6 -s 2001:db8::7
    "
  `);
  const removed = said('tcp 6 …\n');
  const none = {
    ...failed(),
    exitCode: 1,
    stderr: 'conntrack v1.4.7: 0 flow entries have been deleted.',
  };
  const ended = read.next?.read([removed, removed, none, none, removed]);
  expect(ended).toMatchObject({ sockets: 0, flows: 3, troubles: [] });
  // The hosts that had connections, not the prefixes: those may come back.
  expect(ended?.again?.map(({ text }) => text)).toEqual([
    '203.0.113.7',
    '203.0.113.8',
    '198.51.100.9',
    '203.0.113.9',
    '2001:db8::7',
  ]);
});

test('what cannot be ended is said once, in a few words', () => {
  const plan = planFlows(targets(['203.0.113.7']));
  const missing = { failure: 'missing' as const, stdout: '', stderr: 'ss is not in /usr/sbin' };
  const all = plan.steps.map(() => missing);
  expect(plan.read(all).troubles).toEqual(['ss: not installed', 'conntrack: not installed']);
  // A kernel that cannot: ss passes over each socket in silence.
  const nothing = plan.steps.slice(2).map(() => said(''));
  const left = plan.read([
    said(''),
    said('tcp ESTAB 0 0 10.77.0.1:22 203.0.113.7:4711\n'),
    ...nothing,
  ]);
  expect(left).toEqual({
    sockets: 0,
    flows: 0,
    troubles: ['ss: 1 sockets are left: the kernel cannot (CONFIG_INET_DIAG_DESTROY)'],
  });
});

test('thousands are some processes, and a table full of them is ended in part', () => {
  const many = targets(Array.from({ length: 1_200 }, (_, i) => `10.9.${i >> 8}.${i & 255}`));
  const plan = planFlows(many);
  expect(plan.steps).toHaveLength(7);
  const line = ({ text }: { text: string }) =>
    `udp 17 29 src=${text} dst=10.77.0.1 sport=1 dport=2 src=10.77.0.1 dst=${text} sport=2 dport=1`;
  const sockets = plan.steps.slice(0, 6).map(() => said(''));
  const read = plan.read([...sockets, said(many.map(line).join('\n'))]);
  expect(read.next?.steps).toHaveLength(200);
  expect(read.troubles).toEqual([
    'conntrack: more connections than can be ended at once, 1000 left',
  ]);
});

test('a block of everything ends nothing', () => {
  expect(planFlows(targets(['0.0.0.0/0', '::/0'])).steps).toEqual([]);
});

test('when there was no time for the rest, what was done counts', () => {
  const plan = planFlows(targets(['203.0.113.7', '203.0.113.8']));
  expect(plan.read([])).toEqual({ sockets: 0, flows: 0, troubles: [] });
  expect(plan.read([said('one\n'), said('')])).toMatchObject({ sockets: 1 });
});
