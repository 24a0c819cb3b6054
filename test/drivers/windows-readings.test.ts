/** What is read of a Windows: its registry, its firewall, its routes. Nothing of it is a word in some language. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { StepResult } from '../../platform/step.ts';
import { parseRule } from '../../platform/windows/firewall-rules.ts';
import { askState, firewallKey, readState } from '../../platform/windows/firewall-state.ts';
import { netsh } from '../../platform/windows/netsh.ts';
import { readTree } from '../../platform/windows/registry.ts';
import { loopbackIndex, readRoutes } from '../../platform/windows/route-table.ts';
import { addressSamples } from '../contract/driver-contract.ts';
import { createQuickWindows } from '../sim/windows.ts';
import { firewall, policies, registryOf, type Values } from '../sim/windows-registry.ts';
import { routesOf, type SimRoute } from '../sim/windows-routes.ts';
import { failed, said } from './show.ts';

/** Text of any kind, some of it as the tools would print it. */
const anyText = fc
  .array(
    fc.oneof(
      fc.string(),
      fc.constantFrom('\r\n', '    ', 'REG_SZ', 'HKEY_LOCAL_MACHINE\\X', '='.repeat(75)),
      fc.constantFrom('v2.33|Dir=In|', '203.0.113.7', '255.255.255.255', '::1/128', ' 1 331 '),
    ),
  )
  .map((parts) => parts.join(''));

describe('a rule of the firewall', () => {
  const block = 'v2.33|Action=Block|Active=TRUE|Dir=In|RA4=203.0.113.7|Name=ar-exec-0001|';

  test.each([
    ['an address', 'RA4=13.232.55.12', '13.232.55.12'],
    ['a network with its mask', 'RA4=198.51.100.0/255.255.255.0', '198.51.100.0/24'],
    ['a network with its length', 'RA4=10.0.0.0/8', '10.0.0.0/8'],
    ['one address as a network', 'RA4=203.0.113.7/255.255.255.255', '203.0.113.7'],
    ['one address as a range', 'RA4=203.0.113.7-203.0.113.7', '203.0.113.7'],
    ['an address of IPv6', 'RA6=2001:db8::7', '2001:db8::7'],
    ['a network of IPv6', 'RA6=2001:db8::/48', '2001:db8::/48'],
    ['an address of IPv6 in two notations', 'RA6=::1.2.3.4', '::102:304'],
  ])('with %s', (_, field, text) => {
    expect(parseRule(block.replace('RA4=203.0.113.7', field))).toMatchObject({
      name: 'ar-exec-0001',
      direction: 'in',
      acts: true,
      strange: false,
      targets: [{ text }],
    });
  });

  test.each([
    ['names nothing', 'RA4=203.0.113.7|', ''],
    ['names a range', 'RA4=203.0.113.7', 'RA4=203.0.113.7-203.0.113.9'],
    ['names a word', 'RA4=203.0.113.7', 'RA4=LocalSubnet'],
    ['has a mask with a gap', 'RA4=203.0.113.7', 'RA4=10.0.0.0/255.0.255.0'],
  ])('that %s is none that we have made', (_, from, to) => {
    expect(parseRule(block.replace(from, to))).toMatchObject({ strange: true });
  });

  test.each([
    'Action=Allow',
    'Active=FALSE',
    'Protocol=6',
    'Profile=Public',
    'LPort=80',
    'App=C:\\x.exe',
    'Svc=x',
    'IFType=Lan',
    'LA4=192.0.2.1',
    'Platform=2:6:2',
    'AnythingNew=x',
  ])('with %s does not act for every packet', (field) => {
    const [key = ''] = field.split('=');
    const without = block.replace(new RegExp(`${key}=[^|]*\\|`), '');
    expect(parseRule(without.replace('|Name=', `|${field}|Name=`))?.acts).toBe(false);
  });

  test('for each of the three profiles, or described, acts', () => {
    const fields = '|Profile=Domain|Profile=Private|Profile=Public|Protocol=256|Desc=a=b|Name=';
    expect(parseRule(block.replace('|Name=', fields))?.acts).toBe(true);
  });

  test('is what netsh was told, whatever that was', () => {
    const pool = fc.constantFrom(...addressSamples(true).many(200), ...addressSamples(true).odd);
    fc.assert(
      fc.property(fc.uniqueArray(pool, { minLength: 1, maxLength: 40 }), (targets) => {
        const machine = createQuickWindows();
        const texts = targets.map(({ text }) => text);
        const words = ['name=ar-exec-0009', 'dir=out', 'action=block', `remoteip=${texts}`];
        machine.call(['netsh', 'advfirewall', 'firewall', 'add', 'rule', ...words]);
        const rules = Object.values(registryOf(machine.parts)).flatMap((values) =>
          Object.values(values).flatMap(([, data]) => parseRule(data) ?? []),
        );
        const rule = rules.find(({ name }) => name === 'ar-exec-0009');
        expect(rule).toMatchObject({ direction: 'out', acts: true, strange: false });
        expect(rule?.targets.map(({ text }) => text).sort()).toEqual(texts.toSorted());
      }),
    );
  });

  test('is read of anything, or nothing is', () => {
    const field = fc.tuple(fc.constantFrom('RA4', 'RA6', 'Dir', 'Name', 'x', ''), fc.string());
    fc.assert(
      fc.property(fc.array(field), fc.string(), (fields, end) => {
        const rule = parseRule(`v2.33|${fields.map((pair) => pair.join('=')).join('|')}${end}`);
        for (const { text, address } of rule?.targets ?? []) {
          expect(fields.some(([, value]) => value !== '')).toBe(true);
          expect([text, address].join()).not.toMatch(/[\s|]/);
        }
      }),
    );
  });
});

describe('the registry', () => {
  test('is read of any text, and of none nothing is taken for absent', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const read = readTree(said(text), 'HKLM\\X');
        expect(read.there).not.toBe('no');
        const reading = netsh
          .make(netsh.defaults)
          .inspect.read([said(text), said(text), said(text)]);
        expect(reading.known).toBe(false);
      }),
    );
  });

  test('is not known when a look at it fails in another way than usual', () => {
    for (const failure of ['timeout', 'signal', 'io', 'missing'] as const) {
      expect(readTree({ failure, stdout: '', stderr: '' }, 'HKLM\\X').there).toBe('unknown');
    }
    expect(readTree(failed('nicht gefunden', 1), 'HKLM\\X').there).toBe('no');
    expect(readTree(undefined, 'HKLM\\X').there).toBe('unknown');
  });
});

describe('what the firewall enforces', () => {
  const dword = (number: number): Values[string] => ['REG_DWORD', `0x${number}`];
  const off = { EnableFirewall: dword(0) };
  const on = { EnableFirewall: dword(1) };
  const deaf = { AllowLocalPolicyMerge: dword(0) };
  const look = async (changes: Record<string, Values>, switches = {}) => {
    const machine = createQuickWindows({ language: 'de', ...switches });
    Object.assign(registryOf(machine.parts), changes);
    const answers: StepResult[] = [];
    for (const step of askState) answers.push(await machine.run(step));
    const state = readState(answers);
    if (!state.known) throw new Error(state.why);
    return state;
  };
  const local = (name: string): string => `${firewall}\\${name}`;
  const policy = (name: string): string => `${policies}\\${name}`;
  const all = (place: (name: string) => string, values: Values, middle = 'StandardProfile') =>
    Object.fromEntries(
      ['DomainProfile', middle, 'PublicProfile'].map((name) => [place(name), values]),
    );

  test('everything, as Windows comes', async () => {
    expect(await look({})).toMatchObject({ idle: undefined, partly: undefined, findings: [] });
  });

  test.each([
    ['on the machine', all(local, off)],
    ['by a policy', all(policy, off, 'PrivateProfile')],
    ['by an old policy', all(policy, off)],
    ['by a management service', all((name) => local(`Mdm\\${name}`), off)],
  ])('nothing where it is off %s', async (_, changes) => {
    expect(await look(changes)).toMatchObject({
      idle: 'not enforced: the Windows firewall would do nothing: it is off in all networks',
      findings: [{ id: 'windows-firewall-off', level: 'problem' }],
    });
  });

  test('what a policy has turned on is on', async () => {
    const changes = { ...all(local, off), ...all(policy, on, 'PrivateProfile') };
    expect(await look(changes)).toMatchObject({ idle: undefined, findings: [] });
  });

  test('what nobody has set is on', async () => {
    expect(await look(all(local, {}))).toMatchObject({ idle: undefined, partly: undefined });
  });

  test('nothing where a policy lets no local rules count', async () => {
    expect(await look(all(policy, deaf, 'PrivateProfile'))).toMatchObject({
      idle: 'not enforced: the Windows firewall would do nothing: a policy lets no local rules count in all networks',
      findings: [{ id: 'windows-firewall-policy', level: 'problem' }],
    });
  });

  test('a part, where it is off in some networks', async () => {
    const changes = { [local('StandardProfile')]: off, [policy('DomainProfile')]: deaf };
    expect(await look(changes)).toMatchObject({
      idle: undefined,
      partly:
        'the Windows firewall would do nothing: it is off in private networks, and a policy lets no local rules count in domain networks',
      findings: [
        { id: 'windows-firewall-off', level: 'warning' },
        { id: 'windows-firewall-policy', level: 'warning' },
      ],
    });
  });

  test('nothing while its service does not run', async () => {
    expect(await look({}, { stopped: ['mpssvc'] })).toMatchObject({
      idle: 'not enforced: the service of the Windows firewall (MpsSvc) does not run',
      findings: [{ id: 'windows-firewall-stopped', level: 'problem' }],
    });
  });

  test('is unknown when a part of the answer is missing', async () => {
    const machine = createQuickWindows();
    const answers: StepResult[] = [];
    for (const step of askState) answers.push(await machine.run(step));
    const [tree, policy, service] = answers as [StepResult, StepResult, StepResult];
    const cut = {
      ...tree,
      stdout: tree.stdout.slice(0, tree.stdout.indexOf('RestrictedServices')),
    };
    expect(readState([cut, policy, service])).toMatchObject({
      known: false,
      why: `reg query ${firewallKey}: printed no StandardProfile`,
    });
    expect(readState([tree, policy, said('STATE\r\n')]).known).toBe(false);
    expect(readState([tree, policy, failed('', 5)]).known).toBe(false);
    expect(readState([tree, policy, { ...failed('', 1060), exitCode: 1060 }])).toMatchObject({
      known: true,
      idle: expect.stringContaining('does not run'),
    });
  });
});

describe('routes', () => {
  const pool = addressSamples(true).many(300);
  const route = fc.record({
    target: fc.constantFrom(...pool).map(({ text }) => text),
    interface: fc.constantFrom(1, 12),
    metric: fc.integer({ min: 1, max: 9_999 }),
    store: fc.constantFrom('active' as const, 'persistent' as const),
  });

  test('of both families are read as they are, in any language', () => {
    const language = fc.constantFrom('en', 'de');
    fc.assert(
      fc.property(fc.array(route, { maxLength: 20 }), language, (some, language) => {
        const machine = createQuickWindows({ language });
        const routes = routesOf(machine.parts);
        const made = some.map((one): SimRoute => {
          const gateway = one.target.includes(':') ? 'fe80::1' : '192.0.2.1';
          return one.interface === 12 ? { ...one, gateway } : one;
        });
        routes.push(...made);
        for (const family of [4, 6] as const) {
          const { stdout } = machine.call(['route', 'print', `-${family}`]);
          const read = readRoutes(said(stdout), family);
          if (typeof read === 'string') throw new Error(read);
          const wanted = routes.filter(
            ({ target, store }) => target.includes(':') === (family === 6) && store === 'active',
          );
          expect(read).toEqual(
            wanted.map(({ target, gateway, interface: index }) => ({
              target: expect.objectContaining({ text: target }),
              gateway,
              by: family === 6 ? String(index) : index === 1 ? '127.0.0.1' : '192.0.2.10',
            })),
          );
        }
      }),
    );
  });

  test('are unknown in any other text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(typeof readRoutes(said(text), 4)).toBe('string');
        expect(typeof readRoutes(said(text), 6)).toBe('string');
        expect(loopbackIndex(said(text))).toBeUndefined();
      }),
    );
  });

  test('are unknown where a line of them is not understood', () => {
    const machine = createQuickWindows();
    for (const [family, from, to] of [
      [4, '255.255.255.255', '255.255.0.255'],
      [4, ' 127.0.0.1    331', ' lo    331'],
      [6, '::1/128', '::1'],
    ] as const) {
      const { stdout } = machine.call(['route', 'print', `-${family}`]);
      expect(readRoutes(said(stdout), family)).not.toBeTypeOf('string');
      expect(readRoutes(said(stdout.replace(from, to)), family)).toMatch(/is not understood$/);
    }
  });
});
