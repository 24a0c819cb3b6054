/** The name that the executable has on Windows, and the log that it writes there. */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { call } from '../../agent/called/call.ts';
import { createCallLog, logFile } from '../../agent/called/log.ts';
import { subjectIn, understand } from '../../agent/called/message.ts';
import { calledAs } from '../../agent/called/name.ts';

const home = 'C:\\Program Files (x86)\\ossec-agent';
const on = (file: string, argv0 = 'whatever') => calledAs(argv0, () => 'win32', file);

describe('a file in active-response\\bin', () => {
  test.each([
    ['block-ip.exe', 'block-ip'],
    ['Route-Null.EXE', 'route-null'],
    ['restart-wazuh.exe', 'restart-wazuh'],
    ['restart-ossec.exe', 'restart-ossec'],
    ['restart-ossec.cmd', 'restart-ossec'],
    ['disable-account.exe', 'disable-account'],
    ['firewall-drop.exe', 'firewall-drop'],
  ])('%s is the response %s', (name, known) => {
    const file = `${home}\\active-response\\bin\\${name}`;
    expect(on(file)).toMatchObject({
      program: `active-response/bin/${name}`,
      name,
      known: `active-response/bin/${known}`,
      home: home.replaceAll('\\', '/'),
    });
    expect(on(file)?.misplaced).toBeUndefined();
  });

  test('is known whichever way it is written', () => {
    const [one, other] = [
      'C:/Program Files (x86)/ossec-agent/active-response/bin/block-ip.exe',
      'c:\\PROGRAM FILES (X86)\\OSSEC-AGENT\\Active-Response\\BIN\\block-ip.exe',
    ].map((file) => on(file));
    expect(one?.program).toBe('active-response/bin/block-ip.exe');
    expect(other).toMatchObject({ program: one?.program, known: one?.known });
  });

  test('netsh.exe is never taken for the one of Windows there', () => {
    const called = on(`${home}\\active-response\\bin\\netsh.exe`);
    expect(called).toMatchObject({ program: 'active-response/bin/netsh.exe' });
    expect(called?.misplaced).toBeUndefined();
  });

  test('a name that is no response says so, and ar-exec.exe itself is ar-exec', () => {
    expect(on(`${home}\\active-response\\bin\\nonsense.exe`)?.foreign?.status).toBe(255);
    expect(on(`${home}\\active-response\\bin\\ar-exec.exe`)).toBeUndefined();
    expect(on('C:\\Program Files\\ar-exec\\ar-exec.exe')).toBeUndefined();
  });
});

describe('the name of a tool of Windows, elsewhere', () => {
  const file = 'C:\\Windows\\System32\\netsh.exe';

  test.each([file, 'C:\\tools\\NETSH.EXE', 'netsh.exe'])('%s does nothing', (path) => {
    expect(on(path)?.misplaced).toContain('is ar-exec, and not the');
  });

  test.each<[string, string[]]>([
    ["netsh's own words", ['advfirewall', 'firewall', 'add', 'rule', 'name=x']],
    ['words that could be taken for a response', ['add', '-', '203.0.113.7']],
    ['none', []],
  ])('%s: it ends at once, and asks nobody', async (_, words) => {
    const called = on(file);
    if (called === undefined) throw new Error('it is not known');
    expect(await call(called, words)).toBe(1);
  });

  test('what is no tool of Windows may lie anywhere', () => {
    expect(on('C:\\try\\block-ip.exe')).toMatchObject({
      program: 'block-ip.exe',
      known: 'block-ip',
      home: undefined,
    });
  });
});

describe('the log', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ar-exec-'));
    process.env['AR_EXEC_CONFIG'] = join(folder, 'none.conf');
  });
  afterEach(async () => {
    delete process.env['AR_EXEC_CONFIG'];
    await rm(folder, { recursive: true });
  });

  test("is the one of the manager's agent, beside its executables and not in logs", () => {
    const called = on(`${home}\\active-response\\bin\\block-ip.exe`);
    expect(called && logFile(called)).toBe(
      'C:/Program Files (x86)/ossec-agent/active-response/active-responses.log',
    );
  });

  test('has the line ends of Windows, once each, whatever came over the pipe', async () => {
    await mkdir(join(folder, 'active-response'));
    const file = join(folder, 'active-response', 'active-responses.log');
    const called = { ...on(`${home}\\active-response\\bin\\block-ip.exe`) };
    const log = createCallLog(file, called as Parameters<typeof createCallLog>[1]);
    log.line('Starting');
    log.line(Buffer.from('{"a":"é"}\r\n'));
    log.line('{"a":1}\n');
    const time = String.raw`\d{4}/\d\d/\d\d \d\d:\d\d:\d\d`;
    const by = 'active-response/bin/block-ip\\.exe: ';
    expect(await readFile(file, 'utf8')).toMatch(
      new RegExp(
        `^${time} ${by}Starting\r\n${time} ${by}\\{"a":"é"\\}\r\n\r\n${time} ${by}\\{"a":1\\}\r\n\r\n$`,
      ),
    );
  });
});

test('what upstream says of an address that it cannot read depends on the name in any case', () => {
  const line = understand(
    Buffer.from('{"version":1,"origin":{},"command":"add","parameters":{"alert":{"data":{}}}}'),
  );
  const called = on(`${home}\\active-response\\bin\\Route-Null.EXE`);
  if (line === undefined || called === undefined) throw new Error('it is not understood');
  expect(subjectIn(line, called)).toEqual({ refusal: "Cannot read 'srcip' from data" });
});
