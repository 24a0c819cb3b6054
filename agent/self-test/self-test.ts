/**
 * Tries what acts on addresses, with addresses that nobody has: in a network namespace of its own where
 * the system has them, otherwise on this machine, through the agent if one runs.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isSea } from 'node:sea';
import { drivers } from '../../platform/index.ts';
import type { Runner } from '../../platform/step.ts';
import { currentSystem } from '../config/default-paths.ts';
import type { Config } from '../config/settings.ts';
import { ArError } from '../errors.ts';
import { findResponse, responses } from '../policy/responses.ts';
import { loadHere } from '../settle/load-here.ts';
import { type Probed, settle } from '../settle/settle.ts';
import { createBus } from '../system/dbus/bus.ts';
import { createRunner } from '../system/runner.ts';
import { openTalk } from '../system/talk.ts';
import { samples, type Trial, type Trying, tryDriver } from './try-driver.ts';

/** Where a self-test takes place. */
export type Ground = 'namespace' | 'machine' | 'agent';

export interface SelfTest {
  readonly ground: Ground;
  readonly trials: readonly Trial[];
}

/** Each driver takes well under a second; a tool that hangs takes its own time limit. */
const namespaceDeadlineMs = 300_000;
const dropsPackets = findResponse('firewall-drop')?.drivers ?? [];

/**
 * Has the self-test done by this program again, in a network namespace that ends with it. Throws
 * `self-test-impossible` where none can be made.
 */
export async function testInNamespace(config: string | undefined): Promise<SelfTest> {
  const asRoot = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const file = process.argv[1];
  const program = isSea() || file === undefined ? [process.execPath] : [process.execPath, file];
  const words = [
    'self-test',
    '--inside',
    '--json',
    ...(config ? ['--config', resolve(config)] : []),
  ];
  const { failure, exitCode, stdout, stderr } = await createRunner()({
    kind: 'command',
    tool: 'unshare',
    args: [...asRoot, '--net', '--', ...program, ...words],
    deadlineMs: namespaceDeadlineMs,
  });
  const told = parse(stdout);
  if (told !== undefined) return told;
  const why = stderr.trim().split('\n')[0] ?? failure ?? `exit status ${exitCode}`;
  throw new ArError(
    'self-test-impossible',
    `no network namespace could be made for the self-test: ${why}`,
    'Be root; or try it on this machine itself, with --here.',
  );
}

function parse(text: string): SelfTest | undefined {
  try {
    const { ground, trials } = JSON.parse(text) as SelfTest;
    return { ground, trials };
  } catch {
    return undefined;
  }
}

/** For the namespace that this process is in: nothing in it is anybody's. */
export async function testInside(file: string | undefined): Promise<SelfTest> {
  const folder = await mkdtemp(join(tmpdir(), 'ar-exec-self-test-'));
  const run = createRunner({ bus: createBus(join(folder, 'no-bus')) });
  try {
    await prepareDevice(run);
    const { talk, close } = await openTalk();
    const config = {
      ...(await load(file)),
      hostsDenyFile: join(folder, 'hosts.deny'),
      blockFolder: join(folder, 'blocked'),
      dbusSocket: join(folder, 'no-bus'),
    };
    try {
      const trials = await tryAll(config, run, talk);
      return { ground: 'namespace', trials: trials.map(notFirewalld) };
    } finally {
      close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** It has no firewalld of its own: the one there is would act on this machine. */
function notFirewalld(trial: Trial): Trial {
  if (trial.driver !== 'firewalld') return trial;
  return { ...trial, why: 'it acts on this machine itself: --here tries it' };
}

/** The samples become addresses of this namespace, so that packets can come from them. */
async function prepareDevice(run: Runner): Promise<void> {
  const ip = (...args: readonly string[]) => run({ kind: 'command', tool: 'ip', args });
  await ip('link', 'set', 'lo', 'up');
  for (const { address, prefixLength } of samples.filter(isSource)) {
    await ip('address', 'add', `${address}/${prefixLength}`, 'dev', 'lo');
  }
}

function isSource({ family, prefixLength }: (typeof samples)[number]): boolean {
  return prefixLength === (family === 4 ? 32 : 128);
}

/** On this machine itself, with the drivers as they are configured. */
export async function testHere(file: string | undefined): Promise<SelfTest> {
  const config = await load(file);
  const run = createRunner({ bus: createBus(config.dbusSocket) });
  return { ground: 'machine', trials: await tryAll(config, run) };
}

async function load(file: string | undefined): Promise<Config> {
  const loaded = await loadHere(file);
  return loaded.config;
}

async function tryAll(config: Config, run: Runner, talk?: Trying['talk']): Promise<Trial[]> {
  const system = currentSystem();
  const { probes } = await settle(config, { run, now: Date.now, system });
  const trials: Trial[] = [];
  for (const probed of probes) {
    const trial = await tryProbed(probed, { run, talk, now: () => performance.now() });
    if (trial !== undefined) trials.push(trial);
  }
  return trials;
}

/** Undefined for what does not act on addresses: accounts, processes and files are not tried. */
async function tryProbed(probed: Probed, trying: Trying): Promise<Trial | undefined> {
  const { driver: name, instance, usability } = probed;
  const kind = drivers.find((one) => one.name === name);
  if (kind === undefined || !actsOnAddresses(name)) return undefined;
  if (!usability.usable)
    return { driver: name, outcome: 'skipped', why: usability.why, targets: [] };
  const talk = dropsPackets.includes(name) ? trying.talk : undefined;
  return tryDriver(kind.make(instance.settings), usability.families, { ...trying, talk });
}

function actsOnAddresses(driver: string): boolean {
  return responses.some(
    ({ target, drivers: able }) => target === 'address' && able.includes(driver),
  );
}
