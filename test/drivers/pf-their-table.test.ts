/** pf with a table of the administrator's: only entries are made, and only ours taken away. */
import { afterEach, describe, expect, test } from 'vitest';
import { readConfig } from '../../agent/config/read.ts';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { driverSettings } from '../../agent/settle/driver-settings.ts';
import { pf } from '../../platform/bsd/pf.ts';
import type { Effect, Memory, Settings, Usability } from '../../platform/driver.ts';
import type { AddressTarget } from '../../platform/target.ts';
import { targets } from '../contract/driver-contract.ts';
import { createPfMachine, dumpPf, type PfMachine, pfSystems } from './pf-machine.ts';
import { show } from './show.ts';

function configured(xml: string): Settings {
  const known = { responses: [], drivers: [] };
  const { config } = readConfig(`<ar-exec>${xml}</ar-exec>`, 'f.conf', known);
  return { ...pf.defaults, ...driverSettings(config)['pf'] };
}

const settings = configured('<pf><table>wazuh_fwtable</table></pf>');
const rules = ['block in quick from <wazuh_fwtable>', 'block out quick to <wazuh_fwtable>'];
const all = targets(['203.0.113.7', '203.0.113.8', '198.51.100.0/24', '2001:db8::7']);

let machine: PfMachine;
afterEach(() => machine?.close());

async function probe(): Promise<Usability> {
  const driver = pf.make(settings);
  const answers = [];
  for (const step of driver.probe.steps) answers.push(await machine.run(step));
  return driver.probe.read(answers);
}

/** With what the journal keeps. */
function carrier() {
  const memories = new Map<string, Memory>();
  const one = createCarrier(pf.make(settings), machine.run, (found) => {
    for (const { target, memory } of found) memories.set(target.text, memory);
  });
  const effects = (some: readonly AddressTarget[]): Effect[] =>
    some.map((target) => ({ target, memory: memories.get(target.text) }));
  return { ...one, effects };
}

test('is what the configuration names', () => {
  expect(configured('')).toEqual(pf.defaults);
  expect(configured('<pf><anchor>fence/ours</anchor></pf>')).toMatchObject({
    ...pf.defaults,
    anchor: 'fence/ours',
  });
  expect(settings).toEqual({ anchor: '', table: 'wazuh_fwtable', rules: 'theirs', token: '' });
  const inAnchor = configured('<pf><anchor>fence</anchor><table>bad_hosts</table></pf>');
  const [step] = pf.make(inAnchor).apply(targets(['203.0.113.7']).map((target) => ({ target })));
  expect(show(step === undefined ? [] : [step])).toMatch(
    '$ pfctl -q -a fence -t bad_hosts -T add -f -\n',
  );
});

describe.each(pfSystems)('on %s', (system) => {
  const begin = async (...entries: string[]): Promise<void> => {
    machine = await createPfMachine(system);
    machine.pf.enabled = true;
    await machine.load('table <wazuh_fwtable> persist', ...rules, 'pass all');
    await machine.exec(['pfctl', '-t', 'wazuh_fwtable', '-T', 'add', ...entries]);
  };

  test('makes and takes back entries alone', async () => {
    await begin('192.0.2.1', '192.0.2.0/24');
    expect(await probe()).toMatchObject({ usable: true, families: [4, 6] });
    const before = dumpPf(machine);
    const one = carrier();
    expect(await one.apply(one.effects(all))).toMatchObject(all.map(() => ({ result: 'done' })));
    expect(dumpPf(machine).split('\n')).toHaveLength(before.split('\n').length + all.length);
    expect(machine.ran.filter((line) => / -(f|F|[ed]) [^-]/.test(line))).toEqual([]);
    await one.revert(one.effects(all));
    await one.teardown();
    expect(dumpPf(machine)).toBe(before);
  });

  test('leaves alone what stood there before', async () => {
    await begin('203.0.113.7', '198.51.100.0/24');
    const before = dumpPf(machine);
    const one = carrier();
    const carried = await one.apply(one.effects(all));
    const byText = new Map(carried.map(({ target, result }) => [target.text, result]));
    expect(all.map(({ text }) => byText.get(text))).toEqual([
      'pre-existing',
      'done',
      'pre-existing',
      'done',
    ]);
    await one.revert(one.effects(all));
    expect(dumpPf(machine)).toBe(before);
  });

  test('does not go against an exception of the administrator', async () => {
    await begin('203.0.113.0/24', '!203.0.113.7');
    const one = carrier();
    const [first] = targets(['203.0.113.7']);
    expect(await one.apply(first === undefined ? [] : [{ target: first }])).toMatchObject([
      { result: 'failed', refusal: 'protected', why: 'is an exception in <wazuh_fwtable>' },
    ]);
  });

  test('is not enforced without the table, without a rule, or when it is const', async () => {
    machine = await createPfMachine(system);
    machine.pf.enabled = true;
    expect(await probe()).toMatchObject({
      usable: false,
      why: 'not enforced: there is no table <wazuh_fwtable>',
    });
    await machine.load('table <wazuh_fwtable> persist', 'pass all');
    expect(await probe()).toMatchObject({
      usable: false,
      why: 'not enforced: no rule names the table <wazuh_fwtable>',
      findings: [{ id: 'pf-table-unused', level: 'problem' }],
    });
    await machine.load('table <wazuh_fwtable> persist const', ...rules);
    expect(await probe()).toMatchObject({ usable: false, why: expect.stringContaining('const') });
  });

  test('makes no table where the administrator has taken his away', async () => {
    await begin();
    const one = carrier();
    await machine.exec(['pfctl', '-t', 'wazuh_fwtable', '-T', 'kill']);
    const before = dumpPf(machine);
    const carried = await one.apply(one.effects(all));
    expect(new Set(carried.map(({ result }) => result))).toEqual(new Set(['failed']));
    expect(dumpPf(machine)).toBe(before);
    expect(await one.inspect()).toMatchObject({
      known: true,
      effects: [],
      trouble: 'not enforced: there is no table <wazuh_fwtable>',
    });
  });
});
