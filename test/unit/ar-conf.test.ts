import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Composed } from '../../agent/compose.ts';
import { parseArConf } from '../../agent/config/ar-conf.ts';
import { openArConf } from '../../agent/execd/ar-conf.ts';
import type { Log } from '../../agent/observe/log.ts';
import { findResponse } from '../../agent/policy/responses.ts';

/** What every manager's file begins with. */
const first = `restart-ossec0 - restart-ossec.sh - 0
restart-ossec0 - restart-ossec.cmd - 0
restart-wazuh0 - restart-ossec.sh - 0
restart-wazuh0 - restart-ossec.cmd - 0
restart-wazuh0 - restart-wazuh - 0
restart-wazuh0 - restart-wazuh.exe - 0
`;

describe('the lines of ar.conf', () => {
  it('are a name, an executable and seconds', () => {
    expect(parseArConf(`${first}firewall-drop600 - firewall-drop - 600\r\n`)).toEqual({
      entries: [
        { name: 'restart-ossec0', executable: 'restart-ossec.sh', timeoutSeconds: 0 },
        { name: 'restart-ossec0', executable: 'restart-ossec.cmd', timeoutSeconds: 0 },
        { name: 'restart-wazuh0', executable: 'restart-ossec.sh', timeoutSeconds: 0 },
        { name: 'restart-wazuh0', executable: 'restart-ossec.cmd', timeoutSeconds: 0 },
        { name: 'restart-wazuh0', executable: 'restart-wazuh', timeoutSeconds: 0 },
        { name: 'restart-wazuh0', executable: 'restart-wazuh.exe', timeoutSeconds: 0 },
        { name: 'firewall-drop600', executable: 'firewall-drop', timeoutSeconds: 600 },
      ],
      remarks: [],
    });
  });

  it.each([
    ['no separator at all', 'firewall-drop600', 'not NAME - EXECUTABLE - SECONDS'],
    ['another separator', 'firewall-drop600-firewall-drop-600', 'not NAME - EXECUTABLE'],
    ['a way out of the folder', 'x1 - ../../bin/id - 1', 'plain name'],
    ['a path', 'x1 - /bin/id - 1', 'plain name'],
    ['a path of Windows', 'x1 - ..\\id.exe - 1', 'plain name'],
    ['a name of custom commands', '!x1 - x - 1', 'cannot begin with "!"'],
    ['a timeout that is no number', 'x1 - x - soon', 'no number'],
    ['a negative timeout', 'x1 - x - -5', 'no number'],
    ['no name', ' - x - 5', 'a name is missing'],
    ['no executable', 'x5 -  - 5', 'a name is missing'],
  ])('are not taken: %s', (_, line, why) => {
    const { entries, remarks } = parseArConf(`${line}\nok5 - firewall-drop - 5\n`);
    expect(entries).toEqual([{ name: 'ok5', executable: 'firewall-drop', timeoutSeconds: 5 }]);
    expect(remarks).toEqual([{ line: 1, message: expect.stringContaining(why) }]);
  });

  it('tell no more than a few of what is wrong, and little of each', () => {
    const { remarks } = parseArConf(`${'x'.repeat(5_000)}\n`.repeat(1_000));
    expect(remarks).toHaveLength(20);
    expect(JSON.stringify(remarks).length).toBeLessThan(4_000);
  });

  it('may hold more names than upstream has room for', () => {
    const text = Array.from({ length: 1_000 }, (_, n) => `n${n}x5 - firewall-drop - 5\n`).join('');
    expect(parseArConf(text).entries).toHaveLength(1_000);
  });

  it('have names cut as upstream cuts them', () => {
    const [entry] = parseArConf(`${'n'.repeat(300)} - firewall-drop - 5\n`).entries;
    expect(entry?.name).toHaveLength(256);
  });
});

describe('ar.conf while an agent runs', () => {
  let home: string;
  let told: { msg: string }[];
  let settled: ReturnType<Composed['settled']>;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'ar-exec-ar-conf-'));
    await mkdir(join(home, 'etc/shared'), { recursive: true });
    await mkdir(join(home, 'bin'));
    told = [];
    settled = {
      config: { managerHome: home, scriptsFolder: join(home, 'bin') },
      define: findResponse,
    } as unknown as typeof settled;
  });
  afterEach(() => rm(home, { recursive: true }));

  const log = new Proxy({} as Log, {
    get: (_, level) => (facts: object, msg: string) => {
      if (level !== 'debug') told.push({ ...facts, msg });
    },
  });
  const write = async (text: string): Promise<void> => {
    await writeFile(join(home, 'new'), text);
    await rename(join(home, 'new'), join(home, 'etc/shared/ar.conf'));
  };
  const open = () => openArConf({ settled: () => settled }, log);

  it('need not be there', async () => {
    const arConf = await open();
    expect(arConf.isThere()).toBe(false);
    expect(arConf.lines().size).toBe(0);
    await write('x5 - firewall-drop - 5\n');
    await arConf.refresh();
    expect(arConf.isThere()).toBe(true);
    expect(arConf.lines().get('x5')?.executable).toBe('firewall-drop');
    await rm(join(home, 'etc/shared/ar.conf'));
    await arConf.refresh();
    expect(arConf.isThere()).toBe(false);
    expect(arConf.lines().size).toBe(0);
  });

  it('counts for the first executable of a name that is here', async () => {
    await writeFile(join(home, 'bin/own.sh'), '');
    const twice = 'two5 - host-deny - 5\ntwo5 - firewall-drop - 5\ntwo5 - two.exe - 5\n';
    const own = 'own5 - own.exe - 5\nown5 - own.sh - 5\nnone5 - a.exe - 5\nnone5 - b - 5\n';
    await write(`${first}${twice}${own}`);
    const arConf = await open();
    expect(arConf.lines().get('restart-ossec0')?.executable).toBe('restart-ossec.sh');
    expect(arConf.lines().get('own5')?.executable).toBe('own.sh');
    expect(arConf.absent('own5')).toBeUndefined();
    expect(arConf.lines().get('two5')?.executable).toBe('host-deny');
    expect(arConf.absent('two5')).toBeUndefined();
    expect(arConf.lines().has('none5')).toBe(false);
    expect(arConf.absent('none5')).toEqual(['a.exe', 'b']);
  });

  it('is read anew when it changes: another executable, another timeout', async () => {
    await write('x5 - firewall-drop - 5\n');
    const arConf = await open();
    await write('x5 - host-deny - 50\n');
    await arConf.refresh();
    expect(arConf.lines().get('x5')).toEqual({ executable: 'host-deny', timeoutSeconds: 50 });
  });

  it('is read anew when a script comes or goes', async () => {
    await write('own5 - own.sh - 5\n');
    const arConf = await open();
    expect(arConf.absent('own5')).toEqual(['own.sh']);
    await writeFile(join(home, 'bin/own.sh'), '');
    await arConf.refresh();
    expect(arConf.lines().get('own5')?.executable).toBe('own.sh');
    await rm(join(home, 'bin/own.sh'));
    await arConf.refresh();
    expect(arConf.absent('own5')).toEqual(['own.sh']);
  });

  it('is not read again when nothing has changed, unless it is asked for', async () => {
    await write('x5 - firewall-drop - 5\n');
    const arConf = await open();
    const lines = arConf.lines();
    await arConf.refresh();
    expect(arConf.lines()).toBe(lines);
    await arConf.refresh(true);
    expect(arConf.lines()).not.toBe(lines);
  });

  it('stays as it was read when it cannot be read, which is told once', async () => {
    await write('x5 - firewall-drop - 5\n');
    const arConf = await open();
    await writeFile(join(home, 'secret'), 'x5 - host-deny - 50\n');
    await rm(join(home, 'etc/shared/ar.conf'));
    await symlink(join(home, 'secret'), join(home, 'etc/shared/ar.conf'));
    await arConf.refresh();
    await arConf.refresh();
    expect(arConf.lines().get('x5')?.executable).toBe('firewall-drop');
    expect(told.map(({ msg }) => msg)).toEqual([
      'ar.conf cannot be read; what was read before counts',
    ]);
  });

  it('tells what it does not take, once', async () => {
    await write('nonsense\n');
    const arConf = await open();
    await write('nonsense\nx5 - firewall-drop - 5\n');
    await arConf.refresh();
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ remarks: [{ line: 1 }] });
  });
});
