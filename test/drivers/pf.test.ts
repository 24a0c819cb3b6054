/** pf: what is planned, and what it makes of what it finds. */
import { afterEach, describe, expect, test } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { pf } from '../../platform/bsd/pf.ts';
import type { Settings, Usability } from '../../platform/driver.ts';
import { effects, targets } from '../contract/driver-contract.ts';
import {
  createPfMachine,
  dumpPf,
  ownAnchor,
  type PfMachine,
  type PfSystem,
  pfSystems,
  settingsOn,
} from './pf-machine.ts';
import { show } from './show.ts';

let machine: PfMachine;
afterEach(() => machine?.close());

const [seven, net] = targets(['203.0.113.7', '2001:db8:1::/48']) as [never, never];

async function probe(settings: Settings): Promise<Usability> {
  const driver = pf.make(settings);
  const answers = [];
  for (const step of driver.probe.steps) answers.push(await machine.run(step));
  return driver.probe.read(answers);
}

describe('plans', () => {
  test('a block and its end', () => {
    const driver = pf.make(pf.defaults);
    const two = [{ target: seven, expiresInMs: 60_000 }, { target: net }];
    expect(show([...driver.apply(two), ...driver.revert(two)])).toMatchInlineSnapshot(`
      "$ pfctl -q -a ar-exec -t ar_exec -T add -f -
      203.0.113.7
      2001:db8:1::/48
      $ pfctl -q -a ar-exec -t ar_exec -T delete -f -
      203.0.113.7
      2001:db8:1::/48
      "
    `);
    expect(driver.apply([])).toEqual([]);
  });

  test('batches that a pipe takes in one write, whatever they are of', () => {
    const longest = Array.from({ length: 400 }, (_, index) => {
      return `2001:db8:aaaa:bbbb:cccc:dddd:${(4096 + index).toString(16)}:0/112`;
    });
    const steps = pf.make(pf.defaults).apply(effects(targets(longest)));
    expect(steps).toHaveLength(3);
    for (const step of steps) {
      expect('stdin' in step && step.stdin?.length).toBeLessThan(8_192);
    }
  });

  test('rules that block in both directions, in an anchor that pf.conf has to call', async () => {
    machine = await createPfMachine('openbsd76');
    const reading = await createCarrier(pf.make(pf.defaults), machine.run).inspect();
    expect(reading.known && show(reading.setup(['ar-exec']))).toMatchInlineSnapshot(`
      "$ pfctl -q -a ar-exec -f -
      table <ar_exec> persist
      block drop in quick from <ar_exec> to any
      block drop out quick from any to <ar_exec>
      "
    `);
  });

  test('never with an address that pfctl would have to ask somebody for', () => {
    for (const word of ['self', 'attacker.example', '!203.0.113.7', '10.1', '-f']) {
      expect(() => targets([word])).toThrow('not an address');
    }
  });
});

describe.each(pfSystems)('on %s', (system: PfSystem) => {
  const settings = settingsOn(system);
  const isMac = system === 'macos14';

  test('is not enforced where nothing calls the anchor, and says what is missing', async () => {
    machine = await createPfMachine(system);
    await machine.load('pass all');
    const found = await probe(settings);
    const line = isMac ? 'anchor "com.apple/*"' : 'anchor "ar-exec"';
    expect(found).toMatchObject({
      usable: false,
      families: [],
      why: `not enforced: the main ruleset does not call our anchor, ${line}`,
      findings: [{ id: 'pf-anchor-not-called', level: 'problem' }],
    });
    expect(found.findings?.[0]?.remedy).toContain(line);
  });

  test('leaves it to others whether pf is enabled, except where it is shared', async () => {
    machine = await createPfMachine(system);
    machine.pf.enabled = false;
    expect(await probe(settings)).toMatchObject(
      isMac
        ? { usable: true, families: [4, 6] }
        : {
            usable: false,
            why: 'not enforced: pf is disabled',
            findings: [{ id: 'pf-disabled', level: 'note' }],
          },
    );
    machine.pf.enabled = false;
    const one = createCarrier(pf.make(settings), machine.run);
    const [carried] = await one.apply([{ target: seven }]);
    expect(carried?.result).toBe(isMac ? 'done' : 'failed');
    expect(machine.ran.filter((line) => / -[ed]\b/.test(line))).toEqual([]);
  });

  test('does not say that it blocks when enforcement is lost meanwhile', async () => {
    machine = await createPfMachine(system);
    const one = createCarrier(pf.make(settings), machine.run);
    expect(await one.apply([{ target: seven }])).toMatchObject([{ result: 'done' }]);
    await machine.load('pass all');
    const before = dumpPf(machine);
    expect(await one.apply([{ target: net }])).toMatchObject([
      { result: 'failed', why: expect.stringMatching(/^not enforced: the main ruleset/) },
    ]);
    expect(dumpPf(machine)).toBe(before);
    expect(await one.inspect()).toMatchObject({
      known: true,
      effects: [{ target: { text: '203.0.113.7' } }],
      trouble: expect.stringMatching(/^not enforced/),
    });
    // What was blocked is taken back all the same.
    expect(await one.revert([{ target: seven }])).toMatchObject([{ result: 'done' }]);
    expect(await one.inspect()).toMatchObject({ effects: [] });
  });

  test('takes away what is left of its own, and no rules of others', async () => {
    machine = await createPfMachine(system);
    const anchor = ownAnchor(system);
    const before = dumpPf(machine);
    const one = createCarrier(pf.make(settings), machine.run);
    await one.apply([{ target: seven }]);
    await one.revert([{ target: seven }]);
    await machine.exec(['pfctl', '-a', anchor, '-F', 'rules']);
    await one.teardown();
    expect(dumpPf(machine)).toBe(before);
    await machine.exec(['pfctl', '-a', anchor, '-f', '-'], 'block in from <ar_exec>\n');
    await machine.exec(['pfctl', '-a', anchor, '-t', 'ar_exec', '-T', 'add']);
    const theirs = dumpPf(machine);
    await one.teardown();
    expect(dumpPf(machine)).toBe(theirs);
  });

  test('never comes near the limit of table entries', async () => {
    machine = await createPfMachine(system);
    machine.pf.entryLimit = 400;
    const theirs = Array.from({ length: 200 }, (_, index) => `192.0.2.${index}`);
    await machine.exec(['pfctl', '-t', 'theirs', '-T', 'add', ...theirs]);
    const one = createCarrier(pf.make(settings), machine.run);
    const many = targets(Array.from({ length: 200 }, (_, index) => `198.51.100.${index}`));
    expect(await one.apply(effects(many.slice(0, 150)))).toMatchObject(
      many.slice(0, 150).map(() => ({ result: 'done' })),
    );
    const ran = machine.ran.length;
    const refused = await one.apply(effects(many.slice(150, 190)));
    expect(new Set(refused.map(({ result }) => result))).toEqual(new Set(['failed']));
    expect(refused[0]?.why).toMatch(/^pf has 350 table entries of 400, and 40 more would come/);
    expect(machine.ran.slice(ran).filter((line) => line.includes('-T add'))).toEqual([]);
    // Those that go make room.
    await one.revert(effects(many.slice(0, 100)));
    expect(await one.apply(effects(many.slice(150, 190)))).toHaveLength(40);
    expect(await one.inspect()).toMatchObject({ effects: { length: 90 } });
  });

  test('leaves half of the limit to others where it cannot see what they have', async () => {
    machine = await createPfMachine(system);
    machine.pf.entryLimit = 100;
    const one = createCarrier(pf.make(settings), async (step) =>
      step.kind === 'command' && step.args.includes('*')
        ? { failure: 'exit', exitCode: 1, stdout: '', stderr: 'no' }
        : machine.run(step),
    );
    const many = effects(targets(Array.from({ length: 51 }, (_, index) => `192.0.2.${index}`)));
    expect(new Set((await one.apply(many)).map(({ result }) => result))).toEqual(
      new Set(['failed']),
    );
    expect(await one.apply(many.slice(1))).toMatchObject(
      many.slice(1).map(() => ({ result: 'done' })),
    );
  });

  test.each([
    ['that it is unlimited', 'table-entries unlimited\n', 'done'],
    ['nothing of it', 'states        hard limit   100000\n', 'failed'],
  ])('goes by what is said of the limit: %s', async (_, stdout, result) => {
    machine = await createPfMachine(system);
    const one = createCarrier(pf.make(settings), async (step) =>
      step.kind === 'command' && step.args.includes('memory')
        ? { exitCode: 0, stdout, stderr: '' }
        : machine.run(step),
    );
    expect(await one.apply([{ target: seven }])).toMatchObject([{ result }]);
  });

  test('looks at the limit before every pfctl that adds', async () => {
    machine = await createPfMachine(system);
    const one = createCarrier(pf.make(settings), machine.run);
    const many = effects(targets(Array.from({ length: 40 }, (_, index) => `192.0.2.${index}`)));
    await one.apply(many.slice(0, 20));
    await one.apply(many.slice(20));
    const steps = machine.ran.filter((line) => /-T add|-s memory/.test(line));
    expect(steps.map((line) => line.includes('memory'))).toEqual([true, false, true, false]);
  });

  test('says why when it may not, or pf is not there', async () => {
    machine = await createPfMachine(system);
    machine.switch({ euid: 1_000 });
    expect(await probe(settings)).toMatchObject({
      usable: false,
      why: 'pfctl: /dev/pf: Permission denied',
    });
    machine.switch({ unloaded: true });
    expect(await probe(settings)).toMatchObject({
      usable: false,
      why: 'pf is not loaded',
    });
    machine.switch({ missing: ['pfctl'] });
    expect(await probe(settings)).toMatchObject({ usable: false, why: 'pfctl is not installed' });
  });
});
