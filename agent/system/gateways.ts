import { readFile } from 'node:fs/promises';
import type { CommandStep, Runner } from '../../platform/step.ts';
import type { System } from '../../platform/system.ts';

/** The addresses of the default gateways, of both families. */
export type Gateways = () => Promise<readonly string[]>;

/** Whoever waits for it waits with a request. */
const deadlineMs = 2_000;

export function createGateways(system: System, run: Runner): Gateways {
  if (system === 'linux') return linuxGateways;
  return system === 'win32' ? nativeGateways(run) : askedGateways(run);
}

export const linuxGateways: Gateways = async () => [...(await gateways4()), ...(await gateways6())];

/** /proc/net/route: destination, gateway and flags in hexadecimal, host byte order (proc_net(5)). */
async function gateways4(): Promise<string[]> {
  const rows = await readRows('/proc/net/route');
  return rows.flatMap((row) => {
    const [, destination, gateway, , , , , mask] = row;
    if (destination !== '00000000' || mask !== '00000000' || gateway === undefined) return [];
    const bytes = gateway.match(/../g)?.map((byte) => Number.parseInt(byte, 16)) ?? [];
    return [bytes.reverse().join('.')];
  });
}

/** /proc/net/ipv6_route: destination, prefix length, source, its length, next hop, … */
async function gateways6(): Promise<string[]> {
  const rows = await readRows('/proc/net/ipv6_route');
  return rows.flatMap((row) => {
    const [destination, length, , , hop] = row;
    if (length !== '00' || hop === undefined || /[^0]/.test(destination ?? '')) return [];
    return [hop.match(/..../g)?.join(':') ?? ''];
  });
}

async function readRows(file: string): Promise<string[][]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').map((line) => line.trim().split(/\s+/));
}

/**
 * Elsewhere route(8) is asked. Who was a gateway a moment ago is taken for one as long as there is no
 * answer: a tool that hangs must not lay the gateway open.
 */
function askedGateways(run: Runner): Gateways {
  const questions = [ask([]), ask(['-inet6'])];
  const last = questions.map((): readonly string[] => []);
  return async () => {
    await Promise.all(
      questions.map(async (question, index) => {
        const { failure, stdout } = await run(question);
        // Without a default route it fails too, or ends with 0 (macOS): nothing is known then, either.
        if (failure === undefined || failure === 'exit') last[index] = readGateway(stdout);
      }),
    );
    return last.flat();
  };
}

/** Windows is asked by a call of its own; its last answer counts as long as there is no other. */
function nativeGateways(run: Runner): Gateways {
  let last: readonly string[] = [];
  return async () => {
    const { failure, stdout } = await run({ kind: 'read-gateways' });
    if (failure === undefined) last = JSON.parse(stdout) as string[];
    return last;
  };
}

function ask(family: readonly string[]): CommandStep {
  return { kind: 'command', tool: 'route', args: ['-n', 'get', ...family, 'default'], deadlineMs };
}

/** `gateway: 192.0.2.2`, `gateway: fe80::1%em0`. A line of an interface without a gateway has none. */
function readGateway(text: string): string[] {
  const [, gateway] = /^ *gateway: (\S+)$/m.exec(text) ?? [];
  return gateway === undefined ? [] : [gateway];
}
