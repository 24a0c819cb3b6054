/**
 * A block of lines of ours at the top of a file that tcp wrappers read, see hosts_access(5). It works for
 * services that are built with libwrap, on their next connection.
 */
import type { Driver, Effect, Reading, Settings, Usability } from '../driver.ts';
import type { Step, StepResult } from '../step.ts';
import { type AddressTarget, isHost, parseTarget } from '../target.ts';
import { wrappedServices } from './wrapped-services.ts';

/** How an address is denied in a file. */
export interface WrapperFile {
  readonly name: string;
  readonly path: string;
  readonly settings: Settings;
  /** Which of the two files it is, wherever it lies. */
  readonly file: 'hosts.deny' | 'hosts.allow';
  /** The line that denies what stands for an address. */
  line(pattern: string): string;
}

/** Never to be changed: an agent finds the block of an older one by these lines. */
const block = {
  begin: '# BEGIN ar-exec (lines in this block come and go by themselves)',
  end: '# END ar-exec',
  created: '# This file was created by ar-exec.',
} as const;

export function wrapperFile(it: WrapperFile): Driver<AddressTarget> {
  const { name, path, settings } = it;
  const linesOf = (effects: readonly Effect<AddressTarget>[]): string[] =>
    effects.map(({ target }) => lineOf(it, target));
  const edit = (add: readonly string[], remove: readonly string[]): Step[] => [
    { kind: 'edit-block', path, block, add, remove },
  ];
  return {
    name,
    settings,
    traits: { selfExpiring: false, prefixes: true, batchSize: 10_000, leavesFlows: true },
    probe: {
      steps: [
        { kind: 'read-file', path },
        // With `/.` it is true for a folder only; false on a read-only file system, for root too.
        {
          kind: 'command',
          tool: 'test',
          args: ['-w', `${path.slice(0, path.lastIndexOf('/') + 1)}.`],
        },
      ],
      read: (results) => readProbe(path, results),
    },
    inspect: { steps: [{ kind: 'read-file', path }], read: ([file]) => readBlock(it, file) },
    container: () => undefined,
    watch: [{ kind: 'files', paths: [path] }],
    apply: (effects) => edit(linesOf(effects), []),
    revert: (effects) => edit([], linesOf(effects)),
    diagnose: wrappedServices(it.file, path),
  };
}

/** IPv6 stands in brackets; an IPv4 prefix is net/mask, which every version of libwrap reads. */
function lineOf({ line }: WrapperFile, target: AddressTarget): string {
  const { family, address, prefixLength } = target;
  const host = isHost(target);
  if (family === 6) return line(host ? `[${address}]` : `[${address}]/${prefixLength}`);
  return line(host ? address : `${address}/${maskOf(prefixLength)}`);
}

function maskOf(prefixLength: number): string {
  return [0, 8, 16, 24]
    .map((start) => 256 - 2 ** (8 - Math.min(8, Math.max(0, prefixLength - start))))
    .join('.');
}

/** What a line denies to everybody, if it is that simple. */
function targetOf(line: string): AddressTarget | undefined {
  const plain = line.replace(/\s+/g, '').replace(/:deny$/i, '');
  const match = /^ALL:(?:\[([0-9a-f:.]+)\]|([0-9.]+))(?:\/([0-9.]+))?$/i.exec(plain);
  if (match === null) return undefined;
  const [, v6, v4, length] = match;
  const address = v6 ?? v4 ?? '';
  if (length === undefined) return parseTarget(address);
  return parseTarget(`${address}/${length.includes('.') ? lengthOf(length) : length}`);
}

function lengthOf(mask: string): number | undefined {
  return Array.from({ length: 33 }, (_, length) => length).find((one) => maskOf(one) === mask);
}

function readProbe(path: string, [file, folder]: readonly StepResult[]): Usability {
  const unusable = (why: string): Usability => ({ usable: false, why, families: [] });
  if (file === undefined || file.failure !== undefined) {
    return unusable(`${path}: ${file?.stderr || 'can not be read'}`);
  }
  if (folder?.failure !== undefined) return unusable(`${path}: its folder can not be written to`);
  return { usable: true, why: `${path}, for services with tcp wrappers`, families: [4, 6] };
}

function readBlock(it: WrapperFile, file: StepResult | undefined): Reading<AddressTarget> {
  const unknown = (why: string): Reading<AddressTarget> => ({
    known: false,
    why: `${it.path}: ${why}`,
  });
  if (file === undefined || file.failure !== undefined) {
    return unknown(file?.stderr || 'can not be read');
  }
  const lines = file.stdout.split('\n').map((line) => line.replace(/\r$/, ''));
  const marks = lines.filter((line) => line === block.begin || line === block.end);
  const [begin, end] = [lines.indexOf(block.begin), lines.indexOf(block.end)];
  const none = marks.length === 0;
  if (!none && (marks.length !== 2 || begin === -1 || end < begin)) {
    return unknown('the block of ar-exec is damaged');
  }
  const inside = none ? [] : lines.slice(begin + 1, end);
  if (inside.some((line) => line.endsWith('\\'))) {
    return unknown('a line in the block of ar-exec runs on into the next');
  }
  const outside = none ? lines : [...lines.slice(0, begin), ...lines.slice(end + 1)];
  return {
    known: true,
    containers: [],
    effects: inside.flatMap((line) => {
      const target = targetOf(line);
      return target !== undefined && lineOf(it, target) === line ? [{ target }] : [];
    }),
    // Behind a line of hosts.allow that lets everybody in, one that denies does nothing.
    foreign:
      it.file === 'hosts.deny'
        ? joinContinued(outside).flatMap((line) => targetOf(line) ?? [])
        : [],
    setup: () => [],
    teardown: () => [],
  };
}

/** A backslash at the end of a line joins it with the next, in comments too. */
function joinContinued(lines: readonly string[]): string[] {
  return lines.join('\n').replaceAll('\\\n', '').split('\n');
}
