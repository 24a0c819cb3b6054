/** Connections that stand end in both directions when an address is blocked. */
import { afterEach, describe, expect, test } from 'vitest';
import { createFlowEnder, type FlowsEnded } from '../../agent/engine/flow-ender.ts';
import { statesIn } from '../../platform/bsd/pf-state-listing.ts';
import { flowsOn } from '../../platform/index.ts';
import { targets } from '../contract/driver-contract.ts';
import type { PfState } from '../sim/pf-world.ts';
import { createPfMachine, type PfMachine, type PfSystem, pfSystems } from './pf-machine.ts';

let machine: PfMachine;
afterEach(() => machine?.close());

let numbers = 0;
const state = (
  direction: 'in' | 'out',
  source: string,
  destination: string,
  more: Partial<PfState> = {},
): PfState => {
  numbers += 1;
  const id = `03be016b${numbers.toString(16).padStart(8, '0')}`;
  return {
    id,
    proto: 'tcp',
    direction,
    source,
    destination,
    ended: 'ESTABLISHED:ESTABLISHED',
    ...more,
  };
};

const plans = (system: PfSystem) =>
  flowsOn(system === 'macos14' ? 'darwin' : system === 'openbsd76' ? 'openbsd' : 'freebsd');

/** Ends those of the addresses, as the agent does. */
async function end(system: PfSystem, ...texts: string[]): Promise<FlowsEnded> {
  const { promise, resolve } = Promise.withResolvers<FlowsEnded>();
  const ender = createFlowEnder({ plan: plans(system), run: machine.run, ended: resolve });
  ender.end(targets(texts));
  const ended = await promise;
  await ender.close();
  return ended;
}

const begun = state('in', '203.0.113.7:40022', '192.0.2.1:22');
const ours = state('out', '192.0.2.1:51000', '203.0.113.7:80');
const forwardedIn = state('in', '10.0.0.5:5000', '203.0.113.7:443');
const forwardedOut = state('out', '192.0.2.1:61000', '203.0.113.7:443', {
  sourceBefore: '10.0.0.5:5000',
});
const six = state('out', '2001:db8:0:1::1[51000]', '2001:db8::7[443]');
const sixBegun = state('in', '2001:db8::7[40000]', '2001:db8:0:1::1[22]');
const ping = state('in', '203.0.113.7', '192.0.2.1', { proto: 'icmp', ended: '0:0' });
const others = [
  state('in', '203.0.113.77:40022', '192.0.2.1:22'),
  state('out', '192.0.2.1:51000', '203.0.113.70:80'),
  state('out', '2001:db8:0:1::1[7]', '2001:db8::77[443]'),
];

describe.each(pfSystems)('on %s', (system) => {
  test('all of them end, and no other', async () => {
    machine = await createPfMachine(system);
    const all = [begun, ours, forwardedIn, forwardedOut, six, sixBegun, ping];
    machine.pf.states = [...all, ...others];
    expect(await end(system, '203.0.113.7', '2001:db8::7')).toEqual({
      addresses: 2,
      sockets: 0,
      flows: all.length,
      troubles: [],
    });
    expect(machine.pf.states).toEqual(others);
  });

  test('those of a prefix end with it', async () => {
    machine = await createPfMachine(system);
    machine.pf.states = [begun, ours, six, ...others];
    await end(system, '203.0.113.0/28');
    expect(machine.pf.states).toEqual([six, ...others]);
  });

  test('nothing is done where there are none', async () => {
    machine = await createPfMachine(system);
    machine.pf.states = [...others];
    expect(await end(system, '203.0.113.7')).toMatchObject({ flows: 0, troubles: [] });
    expect(machine.ran.filter((line) => line.includes('-k'))).toEqual([]);
  });

  test('a flood of them takes one step', async () => {
    machine = await createPfMachine(system);
    machine.pf.states = Array.from({ length: 5_000 }, (_, index) =>
      state('in', `203.0.113.7:${index + 1_000}`, '192.0.2.1:443'),
    );
    expect(await end(system, '203.0.113.7')).toMatchObject({ flows: 5_000 });
    expect(machine.ran.filter((line) => line.includes('-k'))).toEqual(['pfctl -k 203.0.113.7']);
  });

  test('where pf is not loaded there is nothing to end, and a pfctl that fails is told', async () => {
    machine = await createPfMachine(system);
    machine.switch({ unloaded: true });
    expect(await end(system, '203.0.113.7')).toMatchObject({ troubles: [] });
    machine.switch({ euid: 1_000 });
    expect(await end(system, '203.0.113.7')).toMatchObject({
      troubles: ['pfctl: /dev/pf: Permission denied'],
    });
  });
});

test('those in a routing domain of OpenBSD end too', async () => {
  machine = await createPfMachine('openbsd76');
  const domain = 1;
  machine.pf.states = [
    state('in', '203.0.113.7:40022', '192.0.2.1:22', { domain }),
    state('out', '192.0.2.1:51000', '203.0.113.7:80', { domain }),
    state('in', '203.0.113.8:51000', '192.0.2.1:80', { domain }),
  ];
  const [, , left] = machine.pf.states;
  expect(await end('openbsd76', '203.0.113.7')).toMatchObject({ flows: 2 });
  expect(machine.pf.states).toEqual([left]);
});

test('on FreeBSD 15 they end by their number: two addresses end nothing there', async () => {
  machine = await createPfMachine('freebsd15');
  machine.pf.states = [begun, ours];
  await machine.exec(['pfctl', '-k', '0.0.0.0/0', '-k', '203.0.113.7']);
  expect(machine.pf.states).toEqual([begun, ours]);
  await end('freebsd15', '203.0.113.7');
  expect(machine.ran.filter((line) => line.includes('-k'))).toEqual([
    'pfctl -k 203.0.113.7',
    `pfctl -k id -k ${ours.id}`,
  ]);
  expect(machine.pf.states).toEqual([]);
});

test('there is a bound to how many are ended at once, and what is left is told', async () => {
  machine = await createPfMachine('openbsd76');
  machine.pf.states = Array.from({ length: 1_003 }, (_, index) =>
    state('out', `192.0.2.1:${index + 1_000}`, '203.0.113.7:443'),
  );
  expect(await end('openbsd76', '203.0.113.7')).toMatchObject({
    flows: 1_000,
    troubles: ['pfctl: more connections than can be ended at once, 3 left'],
  });
});

test('states are read as they were recorded', () => {
  // Transcripts pf-states2.freebsd15 and pf-states.openbsd76.
  const listing = `all tcp 192.0.2.1:41930 -> 192.0.2.2:2234       ESTABLISHED:ESTABLISHED
   [1 + 2] wscale 6  [3 + 4] wscale 6
   id: 03be016b00000000 creatorid: 8cf59fbf gateway: 0.0.0.0
all tcp (1) 192.0.2.2:2836 -> (1) 192.0.2.1:2222       ESTABLISHED:ESTABLISHED
   id: 03be016b00000001 creatorid: 8cf59fbf
all tcp 192.0.2.1:2222 <- 192.0.2.2:2836       ESTABLISHED:ESTABLISHED
   id: 03be016b00000002 creatorid: 8cf59fbf
all ipv6-icmp (1) fe80::fce1:baff:fed0:8daf[36220] -> (1) ff02::1:ffd0:8daf[130]       0:0
   id: 03be016b00000003 creatorid: 8cf59fbf
all icmp (1) 192.0.2.2:53359 -> (1) 192.0.2.1:8       0:0
`;
  const found = statesIn(listing, targets(['192.0.2.2', 'fe80::fce1:baff:fed0:8daf']));
  expect(found.map(({ target, id, byTarget }) => [target.text, id, byTarget])).toEqual([
    ['192.0.2.2', '03be016b00000000', false],
    ['192.0.2.2', '03be016b00000001', false],
    ['192.0.2.2', '03be016b00000002', true],
    ['fe80::fce1:baff:fed0:8daf', '03be016b00000003', false],
    ['192.0.2.2', undefined, false],
  ]);
});
