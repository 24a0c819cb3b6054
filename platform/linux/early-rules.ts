/** Routing rules by which traffic goes another way than the main table says. */
import type { Finding, Question } from '../driver.ts';
import type { StepResult } from '../step.ts';

/** `ip -N -j rule show`; with -N tables are numbers. */
interface Rule {
  readonly priority?: number;
  readonly src?: string;
  readonly srclen?: number;
  readonly dst?: string;
  readonly table?: string;
  readonly fwmark?: string;
  readonly iif?: string;
  readonly oif?: string;
  readonly not?: unknown;
}

const mainTable = '254';
const localTable = '255';

/** Blackhole routes are in the main table: a rule that looks elsewhere first passes them by. */
export const earlyRules: Question<readonly Finding[]> = {
  steps: [
    { kind: 'command', tool: 'ip', args: ['-N', '-j', '-4', 'rule', 'show'] },
    { kind: 'command', tool: 'ip', args: ['-N', '-j', '-6', 'rule', 'show'] },
  ],
  read: ([v4, v6]) => {
    const tables = [...new Set([...tablesBeforeMain(v4), ...tablesBeforeMain(v6)])];
    return tables.length === 0 ? [] : [finding(tables)];
  },
};

function tablesBeforeMain(result: StepResult | undefined): string[] {
  const rules = parse(result);
  // wg-quick asks main for all but its default route first: a blackhole route is found by that.
  const main = rules.findIndex((rule) => rule.table === mainTable && isForAll(rule));
  const before = main === -1 ? rules : rules.slice(0, main);
  return before.flatMap(({ table }) =>
    table === undefined || table === localTable || table === mainTable ? [] : [table],
  );
}

function isForAll({ src, dst, fwmark, iif, oif, not }: Rule): boolean {
  return (
    (src === undefined || src === 'all') &&
    (dst === undefined || dst === 'all') &&
    [fwmark, iif, oif, not].every((one) => one === undefined)
  );
}

function parse(result: StepResult | undefined): Rule[] {
  try {
    const value: unknown =
      result?.failure === undefined ? JSON.parse(result?.stdout ?? '') : undefined;
    return Array.isArray(value) ? (value as Rule[]) : [];
  } catch {
    return [];
  }
}

function finding(tables: readonly string[]): Finding {
  return {
    id: 'routes-passed-by',
    level: 'warning',
    what: `Routing rules look into table ${tables.join(', ')} before the main table.`,
    why: 'Traffic that they take (of a VPN, for example) reaches an address that route-null holds.',
    remedy: 'See "ip rule show"; use firewall-drop, which acts whatever the route is.',
  };
}
