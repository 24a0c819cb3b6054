/**
 * What has been done to active responses with data of alerts, by its number where it has one: through
 * every dialect, for every driver of every system.
 */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ArError } from '../../agent/errors.ts';
import { parseDatagram } from '../../agent/intake/datagram.ts';
import { fromAlert } from '../../agent/intake/dialects/alert.ts';
import { noCommands, parseLine } from '../../agent/intake/message.ts';
import { decide } from '../../agent/policy/decide.ts';
import { createGuard } from '../../agent/policy/guard.ts';
import { type ResponseDefinition, responses } from '../../agent/policy/responses.ts';
import { createScripts } from '../../agent/script/find.ts';
import type { Request } from '../../agent/words.ts';
import { drivers, kindsOn, oneShots } from '../../platform/index.ts';
import { type System, systems } from '../../platform/system.ts';
import { grammarOf, parseTarget } from '../../platform/target.ts';
import { checkPlans } from '../torture/fuzz/plans.ts';

const guard = createGuard({ neverBlock: [], widestPrefix: { 4: 16, 6: 32 } });
const everySystem = Object.keys(systems) as System[];

/** CVE-2023-50260: a line of hosts.deny that runs a command; and what came after it. */
const addresses = [
  ['CVE-2023-50260', '203.0.113.7\nALL: ALL: spawn (id > /tmp/x)'],
  ['CVE-2023-50260', 'ALL: spawn id'],
  ['CVE-2023-50260', '203.0.113.7 : spawn /bin/sh'],
  ['CVE-2023-50260', '203.0.113.7\\\nx'],
  ['CVE-2023-50260', '203.0.113.7\r'],
  ['ip-customblock, Wazuh issue 36730', '../../../etc/cron.d/x'],
  ['ip-customblock, Wazuh issue 36730', '/etc/passwd'],
  ['ip-customblock, Wazuh issue 36730', '203.0.113.7/../x'],
  ['CVE-2021-44079', '$(id)'],
  ['CVE-2021-44079', '203.0.113.7;id'],
  ['CVE-2021-44079', '`id`'],
  ['CVE-2021-44079', '203.0.113.7|id'],
  ['CVE-2021-44079', '203.0.113.7&&id'],
  ['arguments of block-ip, Wazuh 5.0', '203.0.113.7 action=allow'],
  ['arguments of block-ip, Wazuh 5.0', '203.0.113.7" & calc.exe & "'],
  ['an option', '-6'],
  ['an option', '--help'],
  ['an option', '-j ACCEPT'],
  ['an option of pfctl', '-F all'],
  ['a ruleset', '203.0.113.7 } ; flush ruleset ; add element x y { 203.0.113.8'],
  ['a word of pf', 'any'],
  ['a word of pf', '!203.0.113.7'],
  ['a table of pf', '<other>'],
  ['a name of an interface', 'em0:network'],
  ['a host', 'localhost'],
  ['a range', '203.0.113.1-203.0.113.9'],
  ['a list', '203.0.113.7,0.0.0.0/0'],
  ['a zero byte', '203.0.113.7\0'],
] as const;
const users = [
  ['disable-account, Wazuh b7f3a5e590', '-R/tmp/root'],
  ['a traversal', '../../etc/passwd'],
  ['a traversal', '..\\..\\x'],
  ['a second line', 'bob\nroot'],
  ['a field of passwd', 'bob:x:0:0'],
  ['an option of Windows', '/delete'],
  ['a quote', 'bob" /add "'],
  ['nothing', ''],
] as const;
/** An account of Windows can be called that; no program is told of it there. */
const unixUsers = [
  ['disable-account, Wazuh b7f3a5e590', '-x'],
  ['disable-account, Wazuh b7f3a5e590', '--help'],
  ['shell injection', 'bob;id'],
  ['shell injection', '$(id)'],
  ['two words', 'bob root'],
  ['a number', '0'],
] as const;
const files = [
  ['a traversal', '/tmp/../etc/shadow'],
  ['a traversal', '../etc/shadow'],
  ['a traversal', '/tmp/x/..'],
  ['a traversal', 'C:\\tmp\\..\\Windows\\x'],
  ['a device', '\\\\.\\PhysicalDrive0'],
  ['a share', '\\\\host\\share\\x'],
  ['a stream', 'C:\\tmp\\x:hidden'],
  ['an option', '-rf'],
  ['a second line', '/tmp/x\n/etc/shadow'],
  ['a zero byte', '/tmp/x\0.txt'],
] as const;

interface Data {
  readonly srcip?: string;
  readonly user?: string;
  readonly file?: string;
}

const alertOf = ({ srcip, user, file }: Data) => ({
  rule: { level: 10, id: '5763', description: 'x' },
  data: { srcip, dstuser: user },
  ...(file === undefined ? {} : { syscheck: { path: file } }),
});

/** The same wish, as each of those asks who can. A dialect that cannot carry it refuses it at once. */
const dialects: Record<string, (response: string, data: Data) => Request> = {
  native: (response, data) => requestOf({ command: 'add', response, timeoutSeconds: 60, ...data }),
  wazuh4: (response, data) => requestOf(wazuh4(`${response}600`, data)),
  wazuh5: (response, { srcip, user, file }) =>
    requestOf({
      wazuh: { active_response: { executable: response, type: 'stateful', stateful_timeout: 60 } },
      source: { ip: srcip },
      user: { name: user },
      file: { path: file },
    }),
  'the queue, Wazuh 4': (response, data) =>
    parseDatagram(Buffer.from(JSON.stringify(wazuh4(`${response}600`, data))), {
      manager: 'wazuh4',
      commands: noCommands,
    }),
  'the queue, OSSEC': (response, { srcip = '-', user = '-', file = '-' }) =>
    parseDatagram(Buffer.from(`${response}600 ${user} ${srcip} 1.2 5763 /var/log/x ${file}`), {
      manager: 'ossec',
      commands: noCommands,
    }),
  'the executable, Wazuh 4': (response, data) =>
    requestOf({ command: 'call', program: `bin/${response}`, message: wazuh4('add', data) }),
  'the executable, OSSEC': (response, { srcip = '-', user = '-', file = '-' }) =>
    requestOf({
      command: 'call',
      program: `bin/${response}`,
      words: ['add', user, srcip, '1.2', '5763', '/var/log/x', file],
    }),
  'an alert': (response, data) =>
    fromAlert(
      alertOf(data),
      {
        command: {
          name: 'x',
          executable: response,
          expect: [],
          timeoutAllowed: true,
          extraArgs: [],
        },
        timeoutSeconds: 60,
      },
      'web-01',
    ),
};

function wazuh4(command: string, data: Data): object {
  const parameters = { extra_args: [], alert: alertOf(data) };
  return { version: 1, origin: { name: 'n', module: 'm' }, command, parameters };
}

function requestOf(message: object): Request {
  const parsed = parseLine(JSON.stringify(message));
  if ('error' in parsed) throw parsed.error;
  if (parsed.ask.kind !== 'act') throw new Error('it asks for something else');
  return parsed.ask.request;
}

function decided(request: Request, definition: ResponseDefinition | undefined, system: System) {
  return decide(request, { definition, guard, essential: [], system, newName: () => 'name' });
}

/** On each system that has a driver of it. */
function whereItIs({ drivers: names }: ResponseDefinition): System[] {
  return everySystem.filter((system) => {
    const kinds = kindsOn(system);
    return [...kinds.drivers, ...kinds.oneShots].some(({ name }) => names.includes(name));
  });
}

/** Undefined where it was refused, and the target where it was taken. */
function outcome(
  ask: (response: string, data: Data) => Request,
  definition: ResponseDefinition,
  data: Data,
  system: System,
): string | undefined {
  try {
    return decided(ask(definition.name, data), definition, system).target.text;
  } catch (error) {
    if (error instanceof ArError && error.code !== 'internal') return undefined;
    throw error;
  }
}

const about = (kind: ResponseDefinition['target']) =>
  responses.filter(({ target }) => target === kind);

describe.each(Object.entries(dialects))('through %s', (_, ask) => {
  test.each(addresses)('%s: the address %j is refused by every driver', (_, srcip) => {
    for (const response of about('address')) {
      for (const system of whereItIs(response)) {
        const taken = outcome(ask, response, { srcip }, system);
        // OSSEC's words end at a space, and its messages as C has it: what stands before is all.
        expect([undefined, '203.0.113.7'], response.name).toContain(taken);
        if (!/[ \0]/.test(srcip)) expect(taken, response.name).toBeUndefined();
      }
    }
  });

  test.each(users)('%s: the account %j is refused by every driver', (_, user) => {
    for (const response of about('user')) {
      for (const system of whereItIs(response)) {
        expect(outcome(ask, response, { user }, system), system).toBeUndefined();
      }
    }
  });

  test.each(unixUsers)('%s: the account %j is refused where it cannot be one', (_, user) => {
    for (const response of about('user')) {
      for (const system of whereItIs(response).filter((one) => one !== 'win32')) {
        const taken = outcome(ask, response, { user }, system);
        if (!user.includes(' ')) expect(taken, system).toBeUndefined();
      }
    }
  });

  test.each(files)('%s: the file %j is refused by every driver', (_, file) => {
    for (const response of about('file')) {
      for (const system of whereItIs(response)) {
        const taken = outcome(ask, response, { file }, system);
        expect(file.includes('\0') ? [undefined, '/tmp/x'] : [undefined], system).toContain(taken);
      }
    }
  });
});

describe('CVE-2022-40497, CVE-2018-19666: a command that is a path', () => {
  const names = [
    '../../bin/id',
    '../id',
    '..\\id',
    '..',
    '.',
    '/bin/id',
    'sub/id',
    '.hidden',
    '-x',
  ];

  test.each(names)('%j runs nothing, by whomever it is asked for', async (name) => {
    const base = await mkdtemp(join(tmpdir(), 'ar-exec-hostile-'));
    const folder = join(base, 'bin', 'responses');
    await mkdir(join(folder, 'sub'), { recursive: true });
    for (const file of ['bin/id', 'id', 'bin/responses/sub/id', 'bin/responses/.hidden']) {
      await writeFile(join(base, file), '#!/bin/sh\n');
      await chmod(join(base, file), 0o755);
    }
    const scripts = createScripts(folder, new Map(), () => undefined);
    const asked = [
      () => requestOf(wazuh4(`!${name}`, {})),
      () => requestOf(wazuh4(`${name}0`, {})),
      () => dialects['wazuh5']?.(name, {}),
      () => dialects['the queue, Wazuh 4']?.(`!${name}`, {}),
      () => dialects['the queue, OSSEC']?.(`!${name}`, {}),
      () => requestOf({ command: 'add', response: name }),
      () => dialects['an alert']?.(name, {}),
    ];
    for (const ask of asked) {
      let request: Request | undefined;
      try {
        request = ask();
      } catch (error) {
        expect(error).toMatchObject({ code: 'message-invalid' });
        continue;
      }
      const found = await scripts.define(request as Request);
      expect(found, JSON.stringify(request)).toBeUndefined();
    }
    await rm(base, { recursive: true });
  });
});

describe('what is taken acts on one thing, for every driver', () => {
  const taken: Record<System | 'every', readonly string[]> = {
    every: [],
    linux: ['/tmp/$(touch x)', "/tmp/a b'c", '/tmp/-rf', '/tmp/x;id', '/tmp/`id`'],
    freebsd: [],
    openbsd: [],
    netbsd: [],
    dragonfly: [],
    darwin: [],
    win32: ['C:\\tmp\\$(calc)', "C:\\tmp\\a b'c", 'C:\\tmp\\-rf', 'C:\\tmp\\x;id', 'C:\\tmp\\%x%'],
  };
  const facts = {
    title: '$(id); `id` | sh',
    text: '~!id\n.\n%0aALL: spawn id',
    srcip: '203.0.113.7',
    user: '-x',
    groups: ['--help'],
    location: '../../x',
  };

  test.each([...drivers, ...oneShots].map((kind) => [kind.name, kind] as const))('%s', (name) => {
    const response = responses.find((one) => one.drivers.includes(name));
    expect(response, `${name} carries out no response`).toBeDefined();
    const forAddress = ['203.0.113.9', '2001:db8::9', '203.0.113.0/24', '2001:db8::/48'];
    for (const text of forAddress) {
      const target = parseTarget(text);
      if (target !== undefined && response?.target === 'address') checkPlans([name], target, facts);
    }
    for (const system of everySystem) {
      for (const text of [...taken[system], 'CSOC-7$', 'a.b_c-d']) {
        const { user, file, process } = grammarOf(system);
        const target =
          response?.target === 'user'
            ? user(text)
            : response?.target === 'file'
              ? file(text)
              : response?.target === 'process'
                ? process(4_242, text)
                : undefined;
        if (target !== undefined) checkPlans([name], target, facts);
      }
    }
  });

  /** CVE-2021-44079, CVE-2021-32749: text of a stranger in a command line, or in a mail with escapes. */
  test.each(['slack', 'x-post', 'mail', 'pagerduty'])('%s starts no program at all', (name) => {
    const kind = oneShots.find((one) => one.name === name);
    const told = { ...facts, extraArgs: ['https://example.org/hook'] };
    const { steps } = kind?.make(kind.defaults).perform({ kind: 'named', text: 'x' }, told) ?? {};
    expect(steps?.length).toBeGreaterThan(0);
    expect(steps?.filter((step) => step.kind === 'command')).toEqual([]);
  });
});
