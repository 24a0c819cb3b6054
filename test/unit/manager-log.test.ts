import { appendFileSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createManagerLog, type ManagerLog } from '../../agent/observe/manager-log.ts';

/**
 * The decoders of a manager 4.14 (0010-active-response_decoders.xml), OS_Regex turned into regular
 * expressions of JavaScript.
 */
const decoder = {
  prematch: /^\d\d\d\d\/\d\d\/\d\d \d\d:\d\d:\d\d active-response\/bin\/\S+: /,
  srcip: /"data":\{"srcip":"([^"]+)"/,
  user: /"data":\{.*?"dstuser":"([^"]+)"/,
};

const program = 'active-response/bin/firewall-drop';
const lineFor = (srcip: string): string =>
  JSON.stringify({
    version: 1,
    origin: { name: 'node01', module: 'wazuh-execd' },
    command: 'add',
    parameters: { extra_args: [], alert: { data: { srcip, dstuser: 'root' } }, program },
  });
const line = lineFor('203.0.113.7');

let folder: string;
let file: string;
let log: ManagerLog;
let troubles: unknown[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ar-exec-log-'));
  file = join(folder, 'logs', 'active-responses.log');
  troubles = [];
  log = createManagerLog(file, (error) => troubles.push(error));
});
afterEach(() => rm(folder, { recursive: true }));

const written = async (): Promise<string> => {
  await log.flush();
  return readFileSync(file, 'utf8');
};
/** The lines without their time, which is checked. */
const events = (text: string): string[] =>
  text.split('\n').map((one) => {
    if (one === '') return '';
    expect(one).toMatch(decoder.prematch);
    return one.slice('2026/11/21 14:19:16 '.length);
  });

describe('active-responses.log', () => {
  test('has what upstream’s executable writes for an addition', async () => {
    log.added(line, '203.0.113.7');
    const keys = '{"version":1,"origin":{"name":"firewall-drop","module":"active-response"},';
    expect(events(await written())).toEqual([
      `${program}: Starting`,
      `${program}: ${line}`,
      '',
      `${program}: ${keys}"command":"check_keys","parameters":{"keys":["203.0.113.7"]}}`,
      `${program}: ${line.replace('"command":"add"', '"command":"continue"')}`,
      '',
      `${program}: Ended`,
      '',
    ]);
  });

  test('is what the manager’s decoders and rules 651 and 652 look for', async () => {
    log.added(line, '203.0.113.7');
    log.removed(line);
    const decoded = (await written())
      .split('\n')
      .filter((one) => decoder.prematch.test(one))
      .map((one) => one.replace(decoder.prematch, ''))
      .flatMap((text) => {
        try {
          return [{ text, json: JSON.parse(text) }];
        } catch {
          return [];
        }
      })
      .filter(({ json }) => /add|delete/.test(json.command));
    expect(decoded.map(({ json }) => [json.command, json.parameters.program])).toEqual([
      ['add', program],
      ['delete', program],
    ]);
    for (const { text } of decoded) {
      expect(decoder.srcip.exec(text)?.[1]).toBe('203.0.113.7');
      expect(decoder.user.exec(text)?.[1]).toBe('root');
    }
  });

  test('never says that a host is blocked when it is not', async () => {
    log.failed(line, 'nft: exit 1:\n2026/11/21 14:19:16 active-response/bin/firewall-drop: {}\r\n');
    const text = await written();
    expect(events(text)).toHaveLength(4);
    expect(text).not.toContain('"command"');
  });

  test('has the local time, in the form that the decoder wants', async () => {
    const before = new Date();
    log.removed(line);
    const [, stamp = ''] = /^(\S+ \S+) /.exec(await written()) ?? [];
    const time = new Date(stamp.replaceAll('/', '-').replace(' ', 'T')).getTime();
    expect(Math.abs(time - before.getTime())).toBeLessThan(5_000);
  });

  test('is made with its folder, for nobody else to read', async () => {
    log.removed(line);
    await log.flush();
    expect(statSync(file).mode & 0o007).toBe(0);
    expect(troubles).toEqual([]);
  });

  test('keeps every event in one piece, whoever else writes to it', async () => {
    mkdirSync(join(folder, 'logs'));
    for (let index = 0; index < 500; index += 1) {
      log.added(lineFor(`10.0.${index >> 8}.${index & 255}`), 'key');
      if (index % 5 === 0) appendFileSync(file, '2026/11/21 14:19:16 somebody: else\n');
      if (index % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const text = await written();
    const own = text.replaceAll(/^.* somebody: else\n/gm, '');
    const blocks = own.split(/(?<=: Ended\n)/);
    expect(blocks).toHaveLength(500);
    for (const [index, block] of blocks.entries()) {
      expect(events(block)).toHaveLength(8);
      expect(block).toContain(`"srcip":"10.0.${index >> 8}.${index & 255}"`);
    }
    expect(text.match(/somebody: else\n/g)).toHaveLength(100);
  });

  test('loses nothing that comes in the moment in which the writer ends', async () => {
    mkdirSync(file, { recursive: true });
    log = createManagerLog(file, () => {
      rmSync(file, { recursive: true });
      queueMicrotask(() => log.removed(line));
    });
    log.removed(line);
    expect(events(await written())).toHaveLength(9);
  });

  test('goes on after it could not be written', async () => {
    mkdirSync(file, { recursive: true });
    log.removed(line);
    await log.flush();
    expect(troubles).toHaveLength(1);
    await rm(file, { recursive: true });
    log.removed(line);
    expect(events(await written())).toHaveLength(9);
  });
});
