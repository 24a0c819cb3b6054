/** What `ar-exec config check` says that commands and active responses do. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../agent/config/read.ts';
import { explain } from '../../agent/explain/explain.ts';
import { knownNames } from '../../agent/settle/known-names.ts';
import { settle } from '../../agent/settle/settle.ts';
import type { Runner } from '../../platform/step.ts';

/** A machine whose files can be read and edited, and that has no tool. */
const run: Runner = async (step) => {
  const missing = step.kind === 'command' && step.tool !== 'test';
  const failure = missing ? { failure: 'missing' as const } : {};
  return { stdout: '1.0 1.0\n', stderr: '', ...failure };
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ar-exec-explain-'));
  await mkdir(join(folder, 'scripts'));
  await writeFile(join(folder, 'scripts/own.py'), '#!/bin/sh\n', { mode: 0o755 });
  await writeFile(join(folder, 'scripts/open.py'), '#!/bin/sh\n');
  await chmod(join(folder, 'scripts/open.py'), 0o777);
});
afterAll(() => rm(folder, { recursive: true }));

const explained = async (text: string, settings = '') => {
  const ours = `<ar-exec><scripts_folder>${folder}/scripts</scripts_folder>${settings}</ar-exec>`;
  const { config } = readConfig(`${ours}<ossec_config>${text}</ossec_config>`, 'f', knownNames);
  return explain(await settle(config, { run, system: 'linux', now: Date.now }));
};

const timed = '<timeout_allowed>yes</timeout_allowed>';
const command = (executable: string, more = timed, name = 'c') =>
  `<command><name>${name}</name><executable>${executable}</executable>${more}</command>`;
const response = (more: string) => `<active-response><command>c</command>${more}</active-response>`;

describe('a command', () => {
  const saying = async (executable: string, more?: string) =>
    (await explained(command(executable, more))).commands[0];

  it('is told with what it does and what does it', async () => {
    expect(await saying('host-deny.sh')).toEqual({
      command: 'c',
      executable: 'host-deny.sh',
      kind: 'response',
      response: 'host-deny',
      drivers: ['hosts-deny'],
      text: 'c: denies the address in hosts.deny, for services that use tcp wrappers (response host-deny, driver hosts-deny).',
    });
  });

  it('is told to have no end', async () => {
    // A script without a timeout is run, and that is all.
    expect((await saying('own.py', ''))?.text).toMatch(/own\.py for 1m at most\.$/);
    expect((await saying('host-deny', ''))?.text).toMatch(
      /driver hosts-deny\), until it is deleted: it allows no timeout\.$/,
    );
  });

  it('is told to be impossible here, and why', async () => {
    const found = await saying('firewall-drop');
    expect(found).toMatchObject({ kind: 'impossible', response: 'firewall-drop' });
    expect(found?.text).toMatch(
      /^c: firewall-drop is the response firewall-drop, and nothing on this machine can carry it out \(.*nftables: .*; ipset: .*; iptables: /,
    );
  });

  it.each([
    ['route-null.cmd', 'absent', /^c: route-null\.cmd is not present on this system: ignored\.$/],
    ['own.py', 'script', /^c: runs .*\/scripts\/own\.py for 1m at most\.$/],
    [
      'open.py',
      'refused',
      /^c: open\.py is not run: .* can be written by its group or by everybody/,
    ],
  ])('may be a file: %s', async (executable, kind, text) => {
    const found = await saying(executable);
    expect(found?.kind).toBe(kind);
    expect(found?.text).toMatch(text);
  });
});

describe('an active response', () => {
  const saying = async (more: string, settings = '', executable = 'host-deny', extra = timed) => {
    const text = `${command(executable, extra)}${response(more)}`;
    const { activeResponses } = await explained(text, settings);
    const [found] = activeResponses;
    return `${found?.runs} ${found?.text.replace(/: denies .* driver hosts-deny\)/, ': …')}`;
  };
  const at = (location: string) => `<level>7</level><location>${location}</location>`;

  it('is told with its conditions and its times', async () => {
    const more = `${at('local')}<rules_id>1,2,3</rules_id><rules_group>a|b</rules_group><timeout>600</timeout>`;
    expect(await saying(more, '', 'host-deny', `<expect>srcip,user</expect>${timed}`)).toBe(
      'true c on alerts of level 7 or more and rule 1, 2 or 3 and group a or b raised by this agent that carry a source address and a user: …, for 10m.',
    );
    expect(await saying(at('all'))).toBe(
      'true c on alerts of level 7 or more raised by any agent: …, until it is deleted.',
    );
  });

  it.each([
    ['30', 'for 10m; the second and every later offence 30m.'],
    ['30,60', 'for 10m; the second offence 30m; the third and every later offence 1h.'],
    [
      '1,2,3,4,5',
      'for 10m; the second offence 1m; the third 2m; the fourth 3m; the fifth 4m; the 6th and every later offence 5m.',
    ],
  ])('is told with what offenders get: %s', async (steps, text) => {
    const more = `${at('local')}<timeout>600</timeout><repeated_offenders>${steps}</repeated_offenders>`;
    expect(await saying(more)).toMatch(new RegExp(`…, ${text.replaceAll('.', '\\.')}$`));
  });

  const manager = '<agent_role>manager</agent_role>';
  const second = '<agent_id>2</agent_id>';
  const defined = `${at('defined-agent')}<agent_id>001,002</agent_id>`;
  it.each([
    [
      'local',
      at('local'),
      manager,
      'true c on alerts of level 7 or more raised by the manager itself: …',
    ],
    ['server', at('server'), manager, 'true c on alerts of level 7 or more raised by any agent: …'],
    [
      'server',
      at('server'),
      '',
      'false c on alerts of level 7 or more: it is for the manager, and this machine is an agent (agent_role): ignored.',
    ],
    ['an agent', defined, second, 'true c on alerts of level 7 or more raised by any agent: …'],
    [
      'an agent',
      defined,
      '',
      'false c on alerts of level 7 or more: it is for agent 001, 002, and <agent_id> does not say which one this is: ignored.',
    ],
    [
      'an agent',
      defined,
      '<agent_id>020</agent_id>',
      'false c on alerts of level 7 or more: it is for agent 001, 002, and this is 020: ignored.',
    ],
    [
      'an agent',
      defined,
      manager,
      'false c on alerts of level 7 or more: it is for agent 001, 002, and this is 000: ignored.',
    ],
    [
      'no agent',
      at('defined-agent'),
      second,
      'false c on alerts of level 7 or more: it names no agent: ignored.',
    ],
    [
      'nothing',
      '<location>all</location>',
      '',
      'false c on alerts of any kind: without a level, a rule or a group nothing sets it off.',
    ],
    [
      'off',
      `${at('all')}<disabled>yes</disabled>`,
      '',
      'false c on alerts of level 7 or more: it is turned off.',
    ],
  ])('is told for this machine: %s', async (_, more, settings, text) => {
    expect(await saying(more, settings)).toContain(text);
  });

  it('is told not to run where its command cannot', async () => {
    expect(await saying(at('all'), '', 'route-null.cmd')).toBe(
      'false c on alerts of level 7 or more: route-null.cmd is not present on this system: ignored.',
    );
  });

  it('is told to be done once', async () => {
    expect(await saying(`${at('all')}<timeout>9</timeout>`, '', 'wazuh-slack')).toMatch(
      /, once for each alert; its timeout does not count\.$/,
    );
    expect(await saying(at('all'), '', 'own.py')).toMatch(/ at most, once for each alert\.$/);
  });

  it('is told to be held, for a script as it is declared', async () => {
    const timeout = `${at('all')}<timeout>9</timeout>`;
    const declared = (stateful: string) => `<script name="own.py" stateful="${stateful}"/>`;
    expect(await saying(timeout, '', 'own.py')).toMatch(/ at most, for 9s\.$/);
    expect(await saying(timeout, declared('no'), 'own.py')).toMatch(
      / at most, once for each alert; its timeout does not count\.$/,
    );
    expect(await saying(at('all'), declared('yes'), 'own.py')).toMatch(
      / at most, until it is deleted\.$/,
    );
  });
});

it('says who this is, where alerts come from, or that all is off', async () => {
  const text = `${command('host-deny')}${response('<level>7</level><location>all</location>')}`;
  expect((await explained('')).notes).toEqual([]);
  expect((await explained(text)).notes).toEqual([
    `This machine is the agent ${hostname()}, without an id (agent_id).`,
    expect.stringContaining('No file of alerts is followed (alerts_file)'),
  ]);
  const followed = await explained(
    `${text}<active-response><repeated_offenders>5</repeated_offenders></active-response>`,
    '<alerts_file>/srv/alerts.json</alerts_file><agent_id>007</agent_id><agent_name>web</agent_name>',
  );
  expect(followed.notes).toEqual([
    'This machine is the agent web, with the id 007.',
    'Alerts are followed in /srv/alerts.json.',
    'After 1d without one, an offence is a first one again.',
  ]);
  const off = await explained(`${text}<active-response><disabled>yes</disabled></active-response>`);
  expect(off.notes).toEqual(['Active responses are turned off on this machine.']);
  expect(off.activeResponses).toMatchObject([{ runs: false }]);
});
