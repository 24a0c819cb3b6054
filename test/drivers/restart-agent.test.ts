import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRunner } from '../../agent/system/runner.ts';
import { restartAgent } from '../../platform/any/restart-agent.ts';
import type { Settings } from '../../platform/driver.ts';
import type { Step, StepResult } from '../../platform/step.ts';
import { failed, said, show } from './show.ts';

const home = '/var/ossec';
const target = { kind: 'named', text: '1609869.80794' } as const;
const absent: StepResult = { failure: 'missing', stdout: '', stderr: 'there is no such file' };
const noSystemd = failed(
  "System has not been booted with systemd as init system (PID 1). Can't operate.\n",
);

/** As `systemctl show` of systemd 252 answers: a block a unit, in the order in which it was asked. */
const shown = (loaded: readonly string[]): StepResult => {
  const [asked] = restartAgent.make({ home }).probe.steps;
  if (asked?.kind !== 'command') throw new Error('it asks systemctl first');
  const units = asked.args.slice(2);
  return said(
    units
      .map((unit) => `Id=${unit}\nLoadState=${loaded.includes(unit) ? 'loaded' : 'not-found'}\n`)
      .join('\n'),
  );
};

/** What the probe makes of a machine with these programs in `bin`. */
const probed = (systemctl: StepResult, programs: Readonly<Record<string, StepResult>>) => {
  const { probe } = restartAgent.make({ home });
  const answers = probe.steps.map((step) => {
    if (step.kind === 'command') return systemctl;
    return step.kind === 'check-executable' ? (programs[step.path] ?? absent) : said('');
  });
  return probe.read(answers);
};
const here = (...names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [`${home}/bin/${name}`, said(`${home}/bin/${name}`)]));
const agentPrograms = here(
  'wazuh-control',
  'wazuh-agentd',
  'wazuh-execd',
  'wazuh-logcollector',
  'wazuh-syscheckd',
  'wazuh-modulesd',
);
const stepsOf = (settings: Settings | undefined) =>
  show(restartAgent.make(settings ?? {}).perform(target, {}).steps);

describe('what is found', () => {
  test('a unit of systemd is restarted by systemd, after its programs took their configuration', () => {
    const usability = probed(shown(['wazuh-agent.service']), agentPrograms);
    expect(usability).toMatchObject({ usable: true, why: 'wazuh-agent.service of systemd' });
    expect(stepsOf(usability.settled)).toBe(
      [
        '$ /var/ossec/bin/wazuh-agentd -t',
        '$ /var/ossec/bin/wazuh-execd -t',
        '$ /var/ossec/bin/wazuh-logcollector -t',
        '$ /var/ossec/bin/wazuh-syscheckd -t',
        '$ /var/ossec/bin/wazuh-modulesd -t',
        '$ systemctl restart wazuh-agent.service',
        '',
      ].join('\n'),
    );
  });

  test.each([
    ['a manager', ['wazuh-manager.service'], '$ systemctl restart wazuh-manager.service\n'],
    ['OSSEC from a package', ['ossec-hids.service'], '$ systemctl restart ossec-hids.service\n'],
    ['OSSEC with its init script', ['ossec.service'], '$ systemctl restart ossec.service\n'],
    ['OSSEC with its targets', ['ossec-agent.target'], '$ systemctl restart ossec-agent.target\n'],
  ])(
    '%s without programs that can be trusted to look is restarted all the same',
    (_, units, steps) => {
      expect(stepsOf(probed(shown(units), {}).settled)).toBe(steps);
    },
  );

  test('without systemd the control script does it', () => {
    for (const systemctl of [noSystemd, absent, said('')]) {
      const usability = probed(systemctl, agentPrograms);
      expect(usability).toMatchObject({ usable: true, why: '/var/ossec/bin/wazuh-control' });
      expect(stepsOf(usability.settled)).toBe('$ /var/ossec/bin/wazuh-control restart\n');
    }
    const ossec = probed(noSystemd, here('ossec-control', 'ossec-agentd'));
    expect(stepsOf(ossec.settled)).toBe('$ /var/ossec/bin/ossec-control restart\n');
  });

  test('with systemd and no unit, what the control script starts does not end with ar-exec', () => {
    const usability = probed(shown([]), here('ossec-control'));
    expect(usability).toMatchObject({ usable: true });
    expect(stepsOf(usability.settled)).toBe(
      [
        'check-executable /var/ossec/bin/ossec-control',
        '$ systemd-run --scope --quiet --collect -- /var/ossec/bin/ossec-control restart',
        '',
      ].join('\n'),
    );
  });

  test('nothing makes it unusable, and a script that others can write is nothing', () => {
    expect(probed(noSystemd, {})).toMatchObject({
      usable: false,
      why: 'no agent of Wazuh or OSSEC: no unit of systemd, no control script in /var/ossec/bin',
    });
    const why = '/var/ossec/bin/wazuh-control can be written by its group or by everybody';
    const untrusted: StepResult = { failure: 'io', stdout: '', stderr: why };
    expect(probed(noSystemd, { [`${home}/bin/wazuh-control`]: untrusted })).toMatchObject({
      usable: false,
      why,
    });
  });
});

describe('what came of it', () => {
  const settings = { home, unit: 'wazuh-agent.service', checks: 'wazuh-agentd wazuh-execd' };
  const judged = (...results: readonly StepResult[]) =>
    restartAgent.make(settings).perform(target, {}).read(results);

  test('a restart that worked is done', () => {
    expect(judged(said(''), said(''), said(''))).toEqual({ done: true });
  });

  test('a configuration that does not load leaves the agent running, and is not tried again', () => {
    expect(judged(said(''), failed('(1202): Configuration error at etc/ossec.conf'))).toEqual({
      done: false,
      again: false,
      why: 'wazuh-execd -t does not accept its configuration, so it was left running: (1202): Configuration error at etc/ossec.conf',
    });
  });

  test('a restart that failed is tried again; without the tool it is not', () => {
    expect(judged(said(''), said(''), failed('Job failed'))).toMatchObject({
      done: false,
      again: true,
      why: 'it was not restarted: Job failed',
    });
    expect(judged(said(''), said(''), absent)).toMatchObject({ done: false, again: false });
    expect(judged()).toMatchObject({ done: false, again: false });
  });
});

describe('a control script', () => {
  let folder: string;
  let control: string;
  const run = createRunner();

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ar-exec-ossec-'));
    await mkdir(join(folder, 'bin'));
    control = join(folder, 'bin', 'wazuh-control');
  });
  afterEach(() => rm(folder, { recursive: true }));

  const install = async (lines: readonly string[], mode = 0o750): Promise<void> => {
    await writeFile(control, ['#!/bin/sh', ...lines, ''].join('\n'));
    await chmod(control, mode);
  };
  const carriedOut = async (steps: readonly Step[]): Promise<StepResult[]> => {
    const results: StepResult[] = [];
    for (const step of steps) {
      const result = await run(step);
      results.push(result);
      if (result.failure !== undefined) break;
    }
    return results;
  };
  const settled = async () => {
    const { probe } = restartAgent.make({ home: folder });
    const answers = [];
    for (const step of probe.steps) {
      // Whatever this machine's own systemd knows is not meant.
      answers.push(step.kind === 'command' ? noSystemd : await run(step));
    }
    return probe.read(answers);
  };
  const restarted = async () => {
    const usability = await settled();
    const one = restartAgent.make(usability.settled ?? { home: folder });
    const { steps, read } = one.perform(target, {});
    return read(await carriedOut(steps));
  };

  test('is run with "restart", and what it says counts', async () => {
    await install([`echo "$0 $*" >> ${folder}/calls`]);
    expect(await restarted()).toEqual({ done: true });
    expect(readFileSync(join(folder, 'calls'), 'utf8')).toBe(`${control} restart\n`);
    await install(['echo "wazuh-agentd: Configuration error. Exiting"', 'exit 1']);
    expect(await restarted()).toEqual({
      done: false,
      again: true,
      why: 'it was not restarted: wazuh-agentd: Configuration error. Exiting',
    });
  });

  test('is over when it ends, though what it has started holds its pipes and goes on', async () => {
    await install([
      `setsid sh -c 'echo $$ > ${folder}/pid; exec sleep 300' &`,
      `while [ ! -s ${folder}/pid ]; do sleep 0.01; done`,
      'echo started >&2',
    ]);
    const startedAt = performance.now();
    expect(await restarted()).toEqual({ done: true });
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    process.kill(pid, 'SIGKILL');
  });

  test.each([
    ['a script that its group can write', async () => chmod(control, 0o770)],
    [
      'a script in a folder that everybody can write',
      async () => chmod(join(folder, 'bin'), 0o777),
    ],
    ['a script that is no program', async () => chmod(control, 0o640)],
  ])('%s is not run', async (_, spoil) => {
    await install([`touch ${folder}/ran`]);
    const before = await settled();
    await spoil();
    expect(await settled()).toMatchObject({ usable: false });
    // Also when it was fit at the start.
    const { steps, read } = restartAgent.make(before.settled ?? {}).perform(target, {});
    expect(read(await carriedOut(steps))).toMatchObject({ done: false });
    expect(existsSync(join(folder, 'ran'))).toBe(false);
  });
});
