import { execa, type ResultPromise } from 'execa';
import type { Hosts } from './hosts.ts';

const inner4 = '10.78.0.2';
const inner6 = 'fd78::2';

/** A host behind the endpoint, which the attacker reaches through it. */
export interface Inner {
  /** Starts a service that greets whoever connects, on both families, and waits until it listens. */
  serve(port: number): Promise<void>;
  /** Opens a TCP connection from the attacker's address `from`: is it greeted? */
  connects(from: string, port: number): Promise<boolean>;
  close(): Promise<void>;
}

/** Puts a host behind the endpoint, and makes the endpoint forward to it. */
export async function joinInner(hosts: Hosts): Promise<Inner> {
  const name = hosts.endpoint.replace('ar-e-', 'ar-i-');
  const tag = name.slice('ar-i-'.length);
  const ip = (...args: string[]) => execa('ip', args);
  const started: ResultPromise[] = [];

  await ip('netns', 'add', name);
  await ip('netns', 'exec', name, 'sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0');
  const ends = ['link', 'add', `f${tag}`, 'netns', hosts.endpoint, 'type', 'veth'];
  await ip(...ends, 'peer', `i${tag}`, 'netns', name);
  for (const [where, device, four, six] of [
    [hosts.endpoint, `f${tag}`, '10.78.0.1', 'fd78::1'],
    [name, `i${tag}`, inner4, inner6],
  ] as const) {
    await ip('-n', where, 'link', 'set', device, 'up');
    await ip('-n', where, 'addr', 'add', `${four}/24`, 'dev', device);
    await ip('-n', where, '-6', 'addr', 'add', `${six}/64`, 'dev', device, 'nodad');
  }
  await hosts.exec(['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
  await ip('-n', name, 'route', 'add', 'default', 'via', '10.78.0.1');
  await ip('-n', name, '-6', 'route', 'add', 'default', 'via', 'fd78::1');
  await hosts.attack(['ip', 'route', 'add', '10.78.0.0/24', 'via', '10.77.0.1']);
  await hosts.attack(['ip', '-6', 'route', 'add', 'fd78::/64', 'via', 'fd77::1']);

  return {
    serve: async (port) => {
      for (const listen of [`TCP4-LISTEN:${port}`, `TCP6-LISTEN:${port},ipv6only=1`]) {
        const service = ['socat', '-d', '-d', `${listen},fork,reuseaddr`, 'SYSTEM:echo greetings'];
        const child = execa('ip', ['netns', 'exec', name, ...service], {
          reject: false,
          stdin: 'ignore',
          stdout: 'ignore',
          buffer: false,
        });
        started.push(child as unknown as ResultPromise);
        await new Promise<void>((resolve, reject) => {
          child.stderr.on('data', (chunk: Buffer) => {
            if (String(chunk).includes('listening')) resolve();
          });
          void child.then(() => reject(new Error(`no service on port ${port}`)));
        });
      }
    },
    connects: async (from, port) => {
      const six = from.includes(':');
      const [to, bind] = six ? [`TCP6:[${inner6}]`, `[${from}]`] : [`TCP4:${inner4}`, from];
      const address = `${to}:${port},bind=${bind},connect-timeout=1`;
      const client = ['socat', '-T', '1', '-u', address, 'STDOUT'];
      const result = await execa('ip', ['netns', 'exec', hosts.attacker, ...client], {
        reject: false,
      });
      return result.stdout.includes('greetings');
    },
    close: async () => {
      for (const child of started) child.kill('SIGKILL');
      await Promise.all(started);
      await ip('netns', 'del', name);
    },
  };
}
