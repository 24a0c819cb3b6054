import { describe, expect, test } from 'vitest';
import { parseState } from '../../agent/system/windows/restart-service.ts';
import { grammarOf } from '../../platform/target.ts';
import { killProcessWindows } from '../../platform/windows/kill-process.ts';
import { restartAgentWindows } from '../../platform/windows/restart-agent.ts';
import type { Switches } from '../sim/simulator.ts';
import { windowsAccounts } from '../sim/windows-accounts.ts';
import { failed, said } from './show.ts';

describe('kill-process-windows', () => {
  const target = grammarOf('win32').process(4_244, 'C:\\Temp\\miner.exe');
  if (target === undefined) throw new Error('no target');

  test('says what has to be so, and that it is Windows', () => {
    const settings = { family: 'yes', never: 'C:\\Windows\\explorer.exe' };
    const made = killProcessWindows.make(settings);
    expect(made.perform(target, {}, { askedAt: 50_000, maybeDone: false }).steps).toEqual([
      {
        kind: 'end-process',
        system: 'win32',
        pid: 4_244,
        executable: 'C:\\Temp\\miner.exe',
        startedBefore: 52_000,
        graceMs: 0,
        family: true,
        never: ['C:\\Windows\\explorer.exe'],
      },
    ]);
  });

  test('needs the calls of Windows', () => {
    const { probe } = killProcessWindows.make({});
    expect(probe.steps).toEqual([{ kind: 'native-calls' }]);
    expect(probe.read([said('')])).toMatchObject({ usable: true });
    expect(probe.read([failed('this Node calls no native code')])).toMatchObject({
      usable: false,
      why: 'this Node calls no native code',
    });
    expect(probe.read([])).toMatchObject({ usable: false });
  });
});

describe('restart-agent-windows', () => {
  const restart = async (services: Record<string, number>, switches: Switches = {}) => {
    const machine = windowsAccounts();
    Object.assign(machine.services, services);
    const made = restartAgentWindows.make({});
    const probed = await Promise.all(made.probe.steps.map(machine.run));
    const usability = made.probe.read(probed);
    machine.switches = switches;
    const before = machine.ran.length;
    const { settled = {} } = usability;
    const { steps, read } = restartAgentWindows
      .make(settled)
      .perform({ kind: 'named', text: 'x' }, {});
    const judged = read(await Promise.all(steps.map(machine.run)));
    const ran = machine.ran.slice(before).filter((line) => line.startsWith('net'));
    return { usability, judged, ran, services: machine.services };
  };

  test.each([
    ['WazuhSvc', { WazuhSvc: 4, OssecSvc: 4 }],
    ['OssecSvc', { OssecSvc: 4 }],
  ])('restarts %s', async (service, services) => {
    for (const language of ['en', 'fr', 'de']) {
      const done = await restart(services, { language });
      expect(done.usability).toMatchObject({ usable: true, settled: { service } });
      expect(done.judged).toEqual({ done: true });
      expect(done.ran).toEqual([`net stop ${service} /y`, `net start ${service}`]);
    }
  });

  test('starts what does not run', async () => {
    const done = await restart({ WazuhSvc: 1 });
    expect(done.judged).toEqual({ done: true });
    expect(done.ran).toEqual(['net start WazuhSvc']);
  });

  test('says what was left as it was, and what is gone', async () => {
    const stuck = await restart({ WazuhSvc: 4 }, { stuck: ['WazuhSvc'] });
    expect(stuck.judged).toMatchObject({
      done: false,
      again: true,
      why: expect.stringMatching(/^WazuhSvc was not stopped, and goes on as it was: The service/),
    });
    expect(stuck.ran).toEqual(['net stop WazuhSvc /y']);
    const broken = await restart({ WazuhSvc: 4 }, { broken: ['WazuhSvc'], language: 'de' });
    expect(broken.judged).toMatchObject({
      done: false,
      why: 'WazuhSvc was stopped, and does not start: Der Dienst WazuhSvc konnte nicht gestartet werden.',
    });
  });

  test('is of no use without an agent, or where nobody can tell', async () => {
    expect((await restart({})).usability).toMatchObject({
      usable: false,
      why: 'no agent of Wazuh or OSSEC: no service WazuhSvc or OssecSvc',
    });
    const { read } = restartAgentWindows.make({}).probe;
    expect(read([failed('denied'), failed('denied')])).toMatchObject({
      usable: false,
      why: 'sc does not tell of services: denied',
    });
    expect(read([])).toMatchObject({ usable: false });
  });
});

test.each([
  ['\r\nSERVICE_NAME: a\r\n  TYPE : 10  WIN32\r\n  STATE : 4  RUNNING\r\n', 4],
  ['\r\nNOM_SERVICE: a\r\n  TYPE : 10  WIN32\r\n  ÉTAT : 1  STOPPED\r\n', 1],
  ['SERVICE_NAME: 4\nTYPE: 2\nSTATE: 3 STOP_PENDING', 3],
  ['', undefined],
  ['SERVICE_NAME: a', undefined],
  ['a: b\nc: d\ne: running', undefined],
])('the state in %j is %s', (text, state) => {
  expect(parseState(text)).toBe(state);
});
