/** The agent's parts on each system, on a machine that has none of its tools. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { examineAll } from '../../agent/checkup.ts';
import { compose } from '../../agent/compose.ts';
import { readConfig } from '../../agent/config/read.ts';
import { knownNames } from '../../agent/settle/known-names.ts';
import { kindsOn } from '../../platform/index.ts';
import type { Runner, Step } from '../../platform/step.ts';
import { type System, systems } from '../../platform/system.ts';

const others = (Object.keys(systems) as System[]).filter((one) => one !== 'linux');
const nobody = { refused: () => {}, outcome: () => {}, repaired: () => {}, trouble: () => {} };

let folder: string;
let asked: Step[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ar-exec-'));
  asked = [];
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** Nothing is installed, and no file is there. */
const bare: Runner = async (step) => {
  asked.push(step);
  const nothing = { stdout: '', stderr: '' };
  if (step.kind === 'command') return { ...nothing, failure: 'missing' };
  return step.kind === 'read-file' ? nothing : { ...nothing, failure: 'io', stderr: 'ENOENT' };
};

describe.each(others)('%s', (system) => {
  const composeHere = () =>
    compose({
      config: readConfig('', '', knownNames, system).config,
      state: ':memory:',
      report: nobody,
      system,
      adornments: { runner: () => bare },
    });

  test('is put together, and every driver that cannot be used says why', async () => {
    const { settled, flow, journal } = await composeHere();
    await flow.recover({ adopt: false });
    const { probes } = settled();
    expect(probes.map(({ driver }) => driver).sort()).toEqual(
      [...kindsOn(system).drivers, ...kindsOn(system).oneShots].map(({ name }) => name).sort(),
    );
    for (const { driver, usability } of probes.filter((one) => !one.usability.usable)) {
      expect(usability.why, driver).not.toBe('');
    }
    await flow.stop({ revert: false });
    journal.close();
  });

  test('asks for nothing that only Linux has', async () => {
    const { settled, flow, journal } = await composeHere();
    await settled().essentials();
    await flow.stop({ revert: false });
    journal.close();
    const paths = asked.flatMap((step) => ('path' in step ? [step.path] : []));
    expect(paths.filter((path) => /^\/(proc|sys)\b/.test(path))).toEqual([]);
    const tools = new Set(asked.flatMap((step) => (step.kind === 'command' ? [step.tool] : [])));
    const linux = ['nft', 'iptables', 'ipset', 'ip', 'ss', 'conntrack', 'timedatectl'];
    expect(linux.filter((tool) => tools.has(tool))).toEqual([]);
  });

  test('a block that nothing can make is refused, and not held', async () => {
    const { flow, journal } = await composeHere();
    const request = {
      command: 'add',
      response: 'firewall-drop',
      srcip: '203.0.113.7',
      origin: { dialect: 'native', text: 'a test' },
    } as never;
    await expect(flow.accept(request)).rejects.toMatchObject({ code: 'driver-unavailable' });
    expect(journal.liveCount()).toBe(0);
    await flow.stop({ revert: false });
    journal.close();
  });

  test('ar-exec doctor looks at it, and finds nothing of Linux', async () => {
    const places = { state: join(folder, 'state'), socket: join(folder, 'socket') };
    const report = await examineAll(places, { system, run: bare });
    expect(report.system).toContain(systems[system]);
    expect(report.drivers.map(({ driver }) => driver)).not.toContain('nftables');
    const onlyLinux = ['clock-unknown', 'modules-missing', 'no-ipv6', 'container', 'no-net-admin'];
    const ids = report.findings.map(({ id }) => id);
    expect(ids.filter((id) => onlyLinux.includes(id))).toEqual([]);
    expect(ids).toContain('agent-absent');
  });
});
