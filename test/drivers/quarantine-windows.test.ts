import { expect, test } from 'vitest';
import { grammarOf } from '../../platform/target.ts';
import { quarantineWindows } from '../../platform/windows/quarantine.ts';
import { failed, said } from './show.ts';

const settings = {
  folder: 'C:/ProgramData/ar-exec/state/quarantine',
  roots: 'C:/Users\nD:\\',
  never: 'c:\\users\\keep',
};
const driver = quarantineWindows.make(settings);
const target = (path: string) => {
  const found = grammarOf('win32').file(path);
  if (found === undefined) throw new Error(`not a file: ${path}`);
  return found;
};
const look = (path: string) => driver.examine?.(target(path), {});
const folder = 'C:\\ProgramData\\ar-exec\\state\\quarantine';

test.each(['C:\\Users\\eve\\a.exe', 'c:/USERS/Eve/a.exe', 'D:\\a.exe'])(
  '%s is looked at',
  (path) => {
    expect(look(path)?.steps).toMatchObject([
      { kind: 'examine-file', system: 'win32', path: target(path).text, folder },
    ]);
  },
);

test.each([
  ['C:\\Windows\\System32\\a.dll', /roots/],
  ['C:\\UsersX\\a.exe', /roots/],
  ['C:\\Users\\Keep\\a.exe', /never/],
])('%s is not', (path, why) => {
  expect(look(path)?.steps).toEqual([]);
  expect(look(path)?.read([])).toMatchObject({
    fit: false,
    refusal: 'protected',
    why: expect.stringMatching(why),
  });
});

test('what is in the folder is its own, by a path of Windows only', () => {
  const state = { dev: '1', ino: '2', size: '3', uid: '0', gid: '0', mode: 'x', mtimeNs: '4' };
  const held = (path: string) => ({
    name: 'n',
    path,
    sha256: 'ab',
    takenAt: '2026-11-28',
    state: { ...state, ctimeNs: '5' },
  });
  const read = (path: string) =>
    driver.inspect.read([said(JSON.stringify({ held: [held(path)], leftovers: [] }))]);
  expect(read('C:\\Users\\a')).toMatchObject({ effects: [{ target: { text: 'C:\\Users\\a' } }] });
  expect(read('/etc/passwd')).toMatchObject({ known: false });
});

test('says what is in the way', () => {
  const empty = said('{"held":[],"leftovers":[]}');
  expect(driver.probe.steps).toEqual([
    { kind: 'list-quarantine', path: folder },
    { kind: 'native-calls' },
  ]);
  expect(driver.probe.read([empty, said('')])).toMatchObject({ usable: true, why: folder });
  expect(driver.probe.read([empty, failed('no calls')])).toMatchObject({
    usable: false,
    why: 'no calls',
  });
  expect(driver.probe.read([failed('others can look into it (S-1-1-0)'), said('')])).toMatchObject({
    usable: false,
    why: expect.stringContaining('S-1-1-0'),
  });
});
