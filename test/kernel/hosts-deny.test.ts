/** hosts.deny against libwrap itself: socat asks it for every connection, as a daemon would. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa, type ResultPromise } from 'execa';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { createRunner } from '../../agent/system/runner.ts';
import { hostsDeny } from '../../platform/any/hosts-deny.ts';
import { effects, targets } from '../contract/driver-contract.ts';
import { requires } from '../requirements.ts';
import { attacker4, attacker6, createHosts, type Hosts } from './hosts.ts';

const [port, bothPort] = [7001, 7002];
const others = [...attacker4, ...attacker6];

requires(
  'root',
  'namespaces',
  'ip',
  'socat',
)('hosts.deny and libwrap', () => {
  let hosts: Hosts;
  let folder: string;
  let path: string;
  const services: ResultPromise[] = [];

  beforeAll(async () => {
    hosts = await createHosts();
    folder = await mkdtemp(join(tmpdir(), 'libwrap-'));
    path = join(folder, 'hosts.deny');
    await writeFile(join(folder, 'hosts.allow'), '');
    await serve(`TCP4-LISTEN:${port}`);
    await serve(`TCP6-LISTEN:${port},ipv6only=1`);
    await serve(`TCP6-LISTEN:${bothPort},ipv6only=0`);
  });

  afterAll(async () => {
    for (const service of services) service.kill('SIGKILL');
    await hosts.close();
    await rm(folder, { recursive: true });
  });

  beforeEach(() => rm(path, { force: true }));

  const serve = async (listen: string): Promise<void> => {
    const tables = `allow-table=${join(folder, 'hosts.allow')},deny-table=${path}`;
    const address = `${listen},fork,reuseaddr,tcpwrap=sshd,${tables}`;
    const argv = ['netns', 'exec', hosts.endpoint, 'socat', '-d', '-d', address, 'PIPE'];
    const child = execa('ip', argv, { reject: false, stdin: 'ignore', buffer: false });
    services.push(child as unknown as ResultPromise);
    await new Promise<void>((resolve, reject) => {
      child.stderr.on('data', (chunk: Buffer) => {
        if (String(chunk).includes('listening')) resolve();
      });
      void child.then(() => reject(new Error(`${listen} ended`)));
    });
  };

  const carrier = () => createCarrier(hostsDeny.make({ path }), createRunner());
  const admitted = async (): Promise<string[]> => {
    const answers = await Promise.all(others.map((from) => hosts.connects(from, port)));
    return others.filter((_, index) => answers[index]);
  };
  const but = (...denied: readonly string[]) => others.filter((one) => !denied.includes(one));

  test.each([
    ['203.0.113.7', ['203.0.113.7']],
    ['2001:db8::7', ['2001:db8::7']],
    ['203.0.113.0/24', ['203.0.113.7', '203.0.113.8']],
    ['203.0.113.8/31', ['203.0.113.8']],
    ['192.0.0.0/4', attacker4],
    ['0.0.0.0/0', attacker4],
    ['2001:db8::/64', ['2001:db8::7', '2001:db8::8']],
    ['2001:db8::8/125', ['2001:db8::8']],
    ['2001:db8::/32', attacker6],
    ['::/0', attacker6],
  ])('%s keeps out whom it names, until it is taken back', async (text, denied) => {
    const one = carrier();
    const all = effects(targets([text]));
    expect(await one.apply(all)).toMatchObject([{ result: 'done' }]);
    expect(await admitted()).toEqual(but(...denied));
    expect(await one.revert(all)).toMatchObject([{ result: 'done' }]);
    expect(await admitted()).toEqual(others);
  });

  test('an IPv4 client of a service for both families is kept out too', async () => {
    const connects = async (from: string) => {
      const { stdout } = await execa(
        'ip',
        [
          ...['netns', 'exec', hosts.attacker, 'socat', '-t', '1', '-T', '1', '-'],
          `TCP4:10.77.0.1:${bothPort},bind=${from},connect-timeout=1`,
        ],
        { input: 'ping\n', reject: false },
      );
      return stdout.includes('ping');
    };
    expect(await connects('203.0.113.7')).toBe(true);
    await carrier().apply(effects(targets(['203.0.113.7'])));
    expect([await connects('203.0.113.7'), await connects('203.0.113.8')]).toEqual([false, true]);
    await rm(path);
    await carrier().apply(effects(targets(['203.0.113.0/24'])));
    expect(await connects('203.0.113.8')).toBe(false);
  });

  test('works however the file of others ends, and leaves it as it was', async () => {
    for (const text of ['sshd: 198.51.100.9', 'sshd: 198.51.100.9\r\n', '# \\', 'a\0b', '\n']) {
      await writeFile(path, text, 'latin1');
      const one = carrier();
      const all = effects(targets(['203.0.113.7', '2001:db8::/64']));
      const before = await admitted();
      await one.apply(all);
      const denied = ['203.0.113.7', '2001:db8::7', '2001:db8::8'];
      expect(await admitted()).toEqual(before.filter((from) => !denied.includes(from)));
      await one.revert(all);
      expect(await readFile(path, 'latin1')).toBe(text);
      expect(await admitted()).toEqual(before);
    }
  });

  test('who is denied by somebody else too stays denied', async () => {
    await writeFile(path, 'ALL:203.0.113.7\n');
    const one = carrier();
    const all = effects(targets(['203.0.113.7']));
    await one.apply(all);
    await one.revert(all);
    expect(await readFile(path, 'latin1')).toBe('ALL:203.0.113.7\n');
    expect(await admitted()).toEqual(but('203.0.113.7'));
  });

  test('ten thousand in the file at once are heeded', async () => {
    const many = Array.from({ length: 10_000 }, (_, index) => `10.8.${index >> 8}.${index & 255}`);
    const all = effects(targets([...many.slice(0, -1), '203.0.113.7', '2001:db8::7']));
    const one = carrier();
    await one.apply(all);
    expect(await admitted()).toEqual(but('203.0.113.7', '2001:db8::7'));
    await one.revert(all);
    expect(await admitted()).toEqual(others);
  });
});
