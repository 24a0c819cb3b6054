/** The simulated tools of Windows refuse what the real ones refuse. */
import { describe, expect, test } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { netsh } from '../../platform/windows/netsh.ts';
import { routeNullWindows } from '../../platform/windows/route-null.ts';
import { effects, targets } from '../contract/driver-contract.ts';
import { wordsOfCommandLine } from '../sim/command-line.ts';
import { createSimMachine } from '../sim/machine.ts';
import { answerAs, createQuickWindows, windowsTools } from '../sim/windows.ts';
import { registryOf, rulesKey } from '../sim/windows-registry.ts';
import { routesOf } from '../sim/windows-routes.ts';

describe('netsh', () => {
  const start = (switches = {}) => {
    const machine = createQuickWindows(switches);
    const rule = (...words: string[]) =>
      machine.call(['netsh', 'advfirewall', 'firewall', ...words]);
    const rules = () => Object.keys(registryOf(machine.parts)[rulesKey] ?? {}).length;
    return { machine, rule, rules };
  };
  const block = ['dir=in', 'action=block'];

  test('complains where it prints everything, and ends with 1', () => {
    const { rule, rules } = start();
    const before = rules();
    const bad = [
      ['add', 'rule', 'name=x', 'dir=in'],
      ['add', 'rule', 'name=all', ...block],
      ['add', 'rule', 'name=x', 'dir=up', 'action=block'],
      ['add', 'rule', 'name=x', ...block, 'remoteip=203.0.113.7, 203.0.113.8'],
      ['add', 'rule', 'name=x', ...block, 'remoteip=203.0.113.7,', '203.0.113.8'],
      ['add', 'rule', 'name=x', ...block, 'remoteip=127.0.0.1'],
      ['add', 'rule', 'name=x', ...block, 'remoteip=example.org'],
      ['add', 'rule', 'name=x', ...block, `remoteip=${Array(1_001).fill('203.0.113.7').join()}`],
      ['delete', 'rule', 'name=x'],
      ['delete', 'rule', 'name=CoreNet', 'action=block'],
      ['set', 'rule', 'name=x', 'new', 'enable=no'],
      ['set', 'rule', 'name=x', 'dir=in', 'remoteip=203.0.113.7'],
    ];
    for (const words of bad) {
      const { exitCode, stdout, stderr } = rule(...words);
      expect({ words, exitCode, stderr }).toEqual({ words, exitCode: 1, stderr: '' });
      expect(stdout.trim()).not.toBe('');
    }
    expect(rules()).toBe(before);
  });

  test('says the same in other words in another language, with the same status', () => {
    const [english, german] = [start(), start({ language: 'de' })];
    for (const { rule } of [english, german]) {
      expect(rule('add', 'rule', 'name=x', ...block, 'remoteip=203.0.113.7').exitCode).toBe(0);
      expect(rule('delete', 'rule', 'name=y').exitCode).toBe(1);
    }
    expect(german.rule('delete', 'rule', 'name=y').stdout).not.toBe(
      english.rule('delete', 'rule', 'name=y').stdout,
    );
  });

  test('takes names that are not unique, and deletes all of them', () => {
    const { rule, rules } = start();
    const before = rules();
    for (const dir of ['in', 'in', 'out'])
      rule('add', 'rule', 'name=x', `dir=${dir}`, 'action=block');
    expect(rules()).toBe(before + 3);
    expect(rule('delete', 'rule', 'name=X', 'dir=in').stdout).toContain('Deleted 2 rule(s).');
    expect(rule('delete', 'rule', 'name=all').exitCode).toBe(0);
    expect(rules()).toBe(0);
  });

  test('does nothing for whoever is no administrator, or while the service is stopped', () => {
    for (const switches of [{ limited: true }, { stopped: ['mpssvc'] }]) {
      const { rule, rules } = start(switches);
      const before = rules();
      expect(rule('add', 'rule', 'name=x', ...block).exitCode).toBe(1);
      expect(rules()).toBe(before);
    }
  });

  test('reads what is typed to it, goes on after what failed, and stops at exit', () => {
    const { machine, rules } = start();
    const before = rules();
    const context = 'advfirewall firewall';
    const typed = [
      `${context} add rule name="a b" dir=in action=block description="c, d"`,
      `${context} add rule name=x dir=in action=bl`,
      'nonsense',
      `${context} add rule name=y dir=out action=block`,
      'exit',
      `${context} add rule name=z dir=out action=block`,
    ];
    const answer = machine.call(['netsh'], typed.map((line) => `${line}\r\n`).join(''));
    expect(answer.exitCode).toBe(0);
    expect(answer.stdout.match(/netsh>/g)).toHaveLength(5);
    expect(rules()).toBe(before + 2);
    expect(JSON.stringify(machine.parts)).toContain('|Name=a b|Desc=c, d|');
  });

  test('keeps a route of IPv6 for ever unless it is told otherwise', () => {
    const { machine } = start();
    const add = ['netsh', 'interface', 'ipv6', 'add', 'route', 'interface=1'];
    expect(machine.call([...add, 'prefix=2001:db8::7/128']).exitCode).toBe(0);
    expect(machine.call([...add, 'prefix=2001:db8::8/128', 'store=active']).exitCode).toBe(0);
    expect(machine.call([...add, 'prefix=2001:db8::8/128', 'store=active']).exitCode).toBe(1);
    const kept = routesOf(machine.parts).filter(({ store }) => store === 'persistent');
    expect(kept.map(({ target }) => target)).toEqual(['2001:db8::7']);
  });
});

describe('route', () => {
  test('ends with 0 whatever came of it, and takes signs for any characters', () => {
    const machine = createQuickWindows();
    const route = (...words: string[]) => machine.call(['route', ...words]).exitCode;
    const add = (address: string, ...words: string[]) =>
      route('ADD', address, 'MASK', '255.255.255.255', ...words);
    const targets = () => routesOf(machine.parts).map(({ target }) => target);
    const before = targets();
    expect(add('203.0.113.7', '127.0.0.1')).toBe(0);
    expect(add('203.0.113.7', '0.0.0.0')).toBe(0);
    expect(add('203.0.113.7', '0.0.0.0', 'IF', '99')).toBe(0);
    expect(route('ADD', '203.0.113.7', 'MASK', '255.255.255.0', '0.0.0.0', 'IF', '1')).toBe(0);
    expect(route('DELETE', '203.0.113.7')).toBe(0);
    expect(targets()).toEqual(before);
    add('203.0.113.7', '0.0.0.0', 'IF', '1');
    add('203.0.113.7', '0.0.0.0', 'IF', '1');
    add('203.0.113.8', '192.0.2.1');
    expect(targets()).toEqual([...before, '203.0.113.7', '203.0.113.8']);
    route('DELETE', '203.0.*');
    expect(targets()).toEqual(before);
  });
});

describe('a command line', () => {
  test.each([
    ['"C:\\a b\\x.exe" name=x', ['C:\\a b\\x.exe', 'name=x']],
    ['x "name=Block 203.0.113.5" c\\"d "" é\\', ['x', 'name=Block 203.0.113.5', 'c"d', '', 'é\\']],
    ['x "a\\\\" b', ['x', 'a\\', 'b']],
    ['x "a\\\\\\"b" c', ['x', 'a\\"b', 'c']],
    ['x  a\tb "c""d"', ['x', 'a', 'b', 'c"d']],
  ])('%s is parted as Windows does it', (line, words) => {
    expect(wordsOfCommandLine(line)).toEqual(words);
  });

  test('that was recorded elsewhere is answered by this machine', () => {
    const machine = createQuickWindows();
    const answer = answerAs(machine);
    const words = 'advfirewall firewall add rule name=x "description=a b" dir=in action=block';
    const commandLine = `"C:\\Windows\\System32\\netsh.exe" ${words}`;
    expect(answer({ tool: 'netsh', commandLine, stdin: '' }).exitCode).toBe(0);
    expect(JSON.stringify(machine.parts)).toContain('|Name=x|Desc=a b|');
  });
});

test('all of it as processes', { timeout: 120_000 }, async () => {
  const machine = await createSimMachine({ system: 'windows11', tools: windowsTools });
  try {
    await machine.switch({ language: 'de' });
    const all = targets(['203.0.113.7', '2001:db8::/48']);
    const rules = createCarrier(netsh.make(netsh.defaults), machine.run);
    expect(await rules.apply(effects(all))).toMatchObject([{ result: 'done' }, { result: 'done' }]);
    expect(await rules.revert(effects(all))).toMatchObject([
      { result: 'done' },
      { result: 'done' },
    ]);
    const memory = { before: 'absent' };
    const settings = { interface: '1', store: 'active' };
    const routes = createCarrier(routeNullWindows.make(settings), machine.run);
    const nulls = all.map((target) => ({ target, memory }));
    expect(await routes.apply(nulls)).toMatchObject([{ result: 'done' }, { result: 'done' }]);
  } finally {
    await machine.close();
  }
});
