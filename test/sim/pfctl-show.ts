/** `pfctl -s …`. */
import type { Pf, PfTable } from './pf-world.ts';
import { type PfctlOptions, type Said, unknown } from './pfctl-options.ts';
import { printState } from './pfctl-states.ts';
import type { Answer, Call, SimSystem } from './simulator.ts';

export function show(call: Call, asked: PfctlOptions, pf: Pf): Said | Answer {
  const { show: what = '', verbose } = asked;
  switch (what) {
    case 'info':
      return { out: info(call.system, pf) };
    case 'memory':
      return { out: memory(call.system, pf) };
    case 'rules':
      return verbose > 0 ? unknown('-v -s rules') : rules(call.system, asked.anchor ?? '', pf);
    case 'Anchors':
      return anchors(asked, pf);
    case 'Tables':
      return tables(call.system, asked, pf);
    case 'states':
      return {
        out: pf.states.flatMap((state) => printState(call.system, state, verbose)),
      };
    case 'References':
      return call.system === 'macos14' ? references(pf) : unknown('-s References');
    default:
      return unknown(`-s ${what}`);
  }
}

/** print_status in pfctl_parser.c; recorded on macOS 26.5. */
function info(system: SimSystem, pf: Pf): string[] {
  const status = pf.enabled ? 'Status: Enabled for 0 days 00:00:20' : 'Status: Disabled';
  const debug = system === 'openbsd76' ? 'Debug: err' : 'Debug: Urgent';
  return [
    `${status.padEnd(44)}${debug.padStart(15)}`,
    '',
    'State Table                          Total             Rate',
    `  ${'current entries'.padEnd(25)} ${String(pf.states.length).padStart(14)} ${''.padStart(14)}`,
  ];
}

/** Transcripts pf-limits; macOS has six (its pfctl). */
function memory(system: SimSystem, pf: Pf): string[] {
  const limits: Record<string, [string, number][]> = {
    freebsd13: [['frags', 5_000], entries(pf)],
    freebsd15: [['frags', 5_000], entries(pf), ['anchors', 0], ['eth-anchors', 0]],
    openbsd76: [
      ['frags', 65_536],
      ['tables', 1_000],
      entries(pf),
      ['pktdelay-pkts', 10_000],
      ['anchors', 512],
    ],
    macos14: [['frags', 5_000], ['tables', 1_000], entries(pf)],
  };
  const all: [string, number][] = [
    ['states', 100_000],
    ...(system === 'macos14' ? [['app-states', 10_000] as [string, number]] : []),
    ['src-nodes', 10_000],
    ...(limits[system] ?? []),
  ];
  return all.map(([name, limit]) => `${name.padEnd(13)} hard limit ${String(limit).padStart(8)}`);
}

function entries(pf: Pf): [string, number] {
  return ['table-entries', pf.entryLimit];
}

/** An anchor that is not there is no failure. */
function rules(system: SimSystem, path: string, pf: Pf): Said {
  const anchor = pf.anchors[path];
  if (anchor !== undefined) return { out: anchor.rules };
  return { err: [noAnchor(system)] };
}

function noAnchor(system: SimSystem): string {
  if (system === 'openbsd76') return 'pfctl: Anchor does not exist';
  return system === 'freebsd15'
    ? 'pfctl: Anchor does not exist.'
    : 'pfctl: DIOCGETRULES: Invalid argument';
}

/** What is there, and what a rule of the main ruleset calls. */
function anchors({ anchor = '', verbose }: PfctlOptions, pf: Pf): Said {
  const called = Object.values(pf.anchors)
    .flatMap(({ rules }) => rules)
    .flatMap((rule) => /^anchor "([^"*]+?)(?:\/\*)?"/.exec(rule)?.[1] ?? []);
  const all = new Set(
    [...Object.keys(pf.anchors), ...called].flatMap((path) => {
      const names = path.split('/');
      return names.map((_, index) => names.slice(0, index + 1).join('/'));
    }),
  );
  const below = anchor === '' ? '' : `${anchor}/`;
  return {
    out: [...all]
      .filter((path) => path !== '' && path.startsWith(below) && path !== anchor)
      .filter((path) => verbose > 0 || !path.slice(below.length).includes('/'))
      .sort()
      .map((path) => `  ${path}`),
  };
}

function tables(system: SimSystem, asked: PfctlOptions, pf: Pf): Said {
  const { anchor = '', verbose } = asked;
  // OpenBSD goes through all anchors (pfctl_recurse); the others have no such thing for tables.
  const everywhere = anchor === '*';
  const path = everywhere ? '' : anchor;
  if (pf.anchors[path] === undefined) {
    return system === 'openbsd76' || system === 'freebsd15'
      ? { err: [noAnchor(system)], exitCode: 1 }
      : {};
  }
  const paths = everywhere && system === 'openbsd76' ? Object.keys(pf.anchors) : [path];
  return {
    out: paths.flatMap((one) =>
      Object.entries(pf.anchors[one]?.tables ?? {})
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .flatMap(([name, table]) => printTable(system, verbose, { pf, path: one, name, table })),
    ),
  };
}

interface Named {
  readonly pf: Pf;
  readonly path: string;
  readonly name: string;
  readonly table: PfTable;
}

/** print_table and print_tstats in pfctl_table.c; transcripts pf-tables. */
function printTable(
  system: SimSystem,
  verbose: number,
  { pf, path, name, table }: Named,
): string[] {
  const isOpen = system === 'openbsd76';
  const behind = path === '' ? '' : `${isOpen ? '@' : '\t'}${path}`;
  if (verbose === 0) return [`${name}${isOpen ? behind : ''}`];
  const naming = (pf.anchors[path]?.rules ?? []).filter((rule) =>
    rule.includes(`<${name}>`),
  ).length;
  const flags = `${table.constant ? 'c' : '-'}${table.persist ? 'p' : '-'}a-${naming > 0 ? 'r' : '-'}--`;
  const line = `${flags}\t${name}${behind}`;
  if (verbose === 1) return [line];
  const counts = (what: string) =>
    `\t${what.padEnd(12)} [ Packets: ${'0'.padEnd(18)} Bytes: ${'0'.padEnd(18)} ]`;
  return [
    line,
    `\tAddresses:   ${table.entries.length}`,
    '\tCleared:     Sat Nov 21 20:00:00 2026',
    `\tReferences:  [ Anchors: ${'0'.padEnd(18)} Rules: ${String(naming).padEnd(18)} ]`,
    `\tEvaluations: [ NoMatch: ${'0'.padEnd(18)} Match: ${'0'.padEnd(18)} ]`,
    ...['In/Block:', 'In/Pass:', 'In/XPass:', 'Out/Block:', 'Out/Pass:', 'Out/XPass:'].map(counts),
  ];
}

/** Recorded on macOS 26.5: all holders are called pfctl. */
function references({ tokens }: Pf): Said {
  if (tokens.length === 0) return { out: ['No pf starter references held'] };
  const line = (...words: string[]) =>
    `${(words[0] ?? '').padEnd(8)} ${(words[1] ?? '').padEnd(28)} ${(words[2] ?? '').padEnd(24)} ${words[3]}`;
  return {
    out: [
      'TOKENS:',
      line('PID', 'Process Name', 'TOKEN', 'TIMESTAMP'),
      ...tokens.map((token, index) => line(`${4_063 + index}`, 'pfctl', token, '0 days 00:00:00')),
    ],
  };
}
