import type { Question, Settings, Usability } from '../driver.ts';
import type { Step, StepResult } from '../step.ts';
import {
  askTables,
  complaint,
  type Family,
  families,
  readTables,
  testRestore,
  toolName,
} from './xtables.ts';

/** What else a driver on top of these tables needs, or why it cannot have it. */
export interface Extra {
  readonly steps: readonly Step[];
  /** `undefined` when all is well. */
  trouble(results: readonly StepResult[]): string | undefined;
  /** Judges a trial that failed: true when it failed for a reason that does not matter. */
  forgives(trial: StepResult): boolean;
}

/**
 * Can the tables be read, and would a restore with `rules` in a chain be taken? The trial goes by
 * `--test`, so it tells about the tool, its extensions and our permission, not about the last bit of
 * kernel support; that shows when the chain is set up.
 *
 * If the kernel has IPv6 and ip6tables does not work, the driver is not usable: nobody could say what
 * it holds.
 */
export function probeTables(
  settings: Settings,
  rules: readonly string[],
  extra?: Extra,
): Question<Usability> {
  const trial = ['-N ar-exec-probe', ...rules, '-I INPUT 1 -j ar-exec-probe'];
  const ask = askTables(settings);
  const steps = [
    ...ask,
    { kind: 'command', tool: toolName(settings, 4, ''), args: ['--version'] } as const,
    ...families.map((family) => testRestore(settings, family, forFamily(trial, family))),
    ...(extra?.steps ?? []),
  ];
  return {
    steps,
    read: (results) => {
      const tables = readTables(settings, results);
      if (!tables.known) return unusable(tables.why);
      const [version, ...rest] = results.slice(ask.length);
      const trials = { 4: rest[0], 6: rest[1] };
      const usable = families.filter((family) => tables[family] !== undefined);
      for (const family of usable) {
        const result = trials[family];
        if (result?.failure === undefined || extra?.forgives(result)) continue;
        return unusable(`${toolName(settings, family, 'restore')}: ${complaint(result)}`);
      }
      const trouble = extra?.trouble(rest.slice(families.length));
      if (trouble !== undefined) return unusable(trouble);
      const ipv6 = usable.length === 2 ? '' : ', no IPv6 in this kernel';
      const why = `${version?.stdout.trim() ?? ''}${ipv6}`;
      return { usable: true, why, families: usable, settled: settledVariant(settings, why) };
    },
  };
}

/**
 * Which variant plain `iptables` is, is somebody else's choice and can change (update-alternatives);
 * what is made with one variant cannot be seen with the other. Tools before 1.8 have no variants.
 */
function settledVariant(settings: Settings, version: string): Settings {
  if (settings['variant'] !== '') return settings;
  if (version.includes('(nf_tables)')) return { ...settings, variant: 'nft' };
  if (version.includes('(legacy)')) return { ...settings, variant: 'legacy' };
  return settings;
}

function forFamily(lines: readonly string[], family: Family): string[] {
  return lines.map((line) => (family === 4 ? line : line.replace('192.0.2.1', '2001:db8::1')));
}

function unusable(why: string): Usability {
  return { usable: false, why, families: [] };
}
