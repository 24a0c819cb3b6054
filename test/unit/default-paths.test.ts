import { existsSync, readFileSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { currentSystem, defaultPaths, pathSettings } from '../../agent/config/default-paths.ts';
import { readConfig } from '../../agent/config/read.ts';
import { settings } from '../../agent/config/settings.ts';
import { listen } from '../../agent/intake/server.ts';
import { knownNames } from '../../agent/settle/known-names.ts';
import { longestSocketPath, type System, systems } from '../../platform/system.ts';
import { readRows } from './read-table.ts';

const names = Object.keys(systems) as System[];
const nothing = () => false;
const page = readFileSync('docs/platforms.md', 'utf8');

/** The row of a table of the page, by what it begins with. */
const rowOf = (first: string): readonly string[] =>
  readRows(page).find(([name]) => name === first) ?? [];
const cell = (first: string, system: System): string => {
  const heads = rowOf('what lies where');
  return (rowOf(first)[heads.indexOf(systems[system])] ?? 'no cell').replaceAll('`', '');
};

describe.each(names)('%s', (system) => {
  test('docs/platforms.md tells the default paths', () => {
    const { configFile, stateFolder, socket, scriptsFolder } = defaultPaths(system, nothing);
    expect(cell('configuration', system)).toBe(configFile);
    expect(cell('journal', system)).toBe(`${stateFolder}/journal.db`);
    expect(cell('socket', system)).toBe(socket);
    expect(cell('scripts of your own', system)).toBe(scriptsFolder);
    expect(cell("a manager's home", system)).toBe(pathSettings(system).managerHome);
    expect(cell('ip-customblock', system)).toBe(pathSettings(system).blockFolder);
  });

  test('the socket fits where it is by default', () => {
    const { socket } = defaultPaths(system, nothing);
    expect(Buffer.byteLength(socket)).toBeLessThanOrEqual(longestSocketPath(system));
  });

  test("uses a manager's folders where there are such", () => {
    const home = pathSettings(system).managerHome;
    const paths = defaultPaths(system, (path) => path.startsWith(`${home}/`));
    const logs = system === 'win32' ? 'active-response' : 'logs';
    expect(paths.activeResponsesLog).toBe(`${home}/${logs}/active-responses.log`);
    expect(paths.scriptsFolder).toBe(`${home}/active-response/bin`);
  });

  test('a configuration without them has its paths, and one with them those', () => {
    const { config } = readConfig('', '', knownNames, system);
    const { managerHome, hostsDenyFile, blockFolder, dbusSocket, quarantine } = config;
    const found = { managerHome, hostsDenyFile, blockFolder, dbusSocket };
    expect({ ...found, quarantineFolder: quarantine.folder }).toEqual(pathSettings(system));
    const text = '<ar-exec><manager_home>/opt/ossec</manager_home></ar-exec>';
    expect(readConfig(text, '', knownNames, system).config.managerHome).toBe('/opt/ossec');
  });
});

test('what docs/configuration.md has as defaults is that of Linux', () => {
  expect(pathSettings('linux')).toEqual({
    managerHome: settings.managerHome.fallback,
    hostsDenyFile: settings.hostsDenyFile.fallback,
    blockFolder: settings.blockFolder.fallback,
    quarantineFolder: settings.quarantineFolder.fallback,
    dbusSocket: settings.dbusSocket.fallback,
  });
});

test('pkgsrc has a folder for configurations of its own', () => {
  const { configFile, scriptsFolder } = defaultPaths('netbsd', (path) =>
    path.startsWith('/usr/pkg/etc/ar-exec'),
  );
  expect(configFile).toBe('/usr/pkg/etc/ar-exec/ar-exec.conf');
  expect(scriptsFolder).toBe('/usr/pkg/etc/ar-exec/responses');
});

test('another system is refused, with those that are known', () => {
  expect(() => currentSystem('sunos')).toThrow(
    expect.objectContaining({ code: 'config-invalid', hint: expect.stringContaining('OpenBSD') }),
  );
});

describe('a path that is too long for a socket', () => {
  const serve = (path: string, system: System) =>
    listen({
      path,
      longestPathBytes: longestSocketPath(system),
      connections: 1,
      messageBytes: 1024,
      requestsPerSecond: 1_000,
      parse: () => ({ refused: new Error('nobody asks') }) as never,
      answer: (() => undefined) as never,
      onTrouble: () => {},
    });
  /** A path of so many bytes, in a folder that nobody has. */
  const pathOf = (bytes: number) => {
    const folder = join(tmpdir(), `ar-exec-${process.pid}`);
    return `${folder}/${'x'.repeat(bytes - Buffer.byteLength(folder) - 1)}`;
  };

  test.each<[System, number]>([
    ['linux', 107],
    ['freebsd', 103],
    ['openbsd', 103],
    ['netbsd', 103],
    ['dragonfly', 103],
    ['darwin', 103],
  ])('on %s is longer than %i bytes', async (system, longest) => {
    const path = pathOf(longest + 1);
    await expect(serve(path, system)).rejects.toMatchObject({
      code: 'socket-unusable',
      message: expect.stringContaining(`the path is longer than ${longest} bytes`),
    });
    expect(existsSync(join(path, '..'))).toBe(false);
    const server = await serve(pathOf(longest), system);
    await server.close();
    await rmdir(join(path, '..'));
  });
});
