import type { Finding, Question, Settings } from '../driver.ts';
import { askTables, chain, families, isFirst, readTables, tableName, toolName } from './xtables.ts';

/** From about here on the walk through the rules can be felt. */
const manyRules = 1_000;

/** What keeps the chain of iptables and ipset from acting, or makes it slow. */
export function xtablesFindings(settings: Settings): Question<readonly Finding[]> {
  return {
    steps: askTables(settings),
    read: (results) => {
      const tables = readTables(settings, results);
      if (!tables.known) return [];
      return families.flatMap((family) => {
        const table = tables[family];
        const name = toolName(settings, family, '');
        if (table === undefined || !table.chain) return [];
        return [
          ...(isFirst(table) ? [] : [notFirst(name, tableName(settings))]),
          ...(table.rules.length < manyRules ? [] : [tooMany(name, table.rules.length)]),
        ];
      });
    },
  };
}

function notFirst(tool: string, table: string): Finding {
  return {
    id: 'chain-not-first',
    level: 'warning',
    what: `The chain ${chain} of ${tool} is not what packets meet first in INPUT and FORWARD of table ${table}.`,
    why: 'What a rule before it accepts is not blocked. A running agent mends that at its next comparison.',
    remedy: `See "${tool} -t ${table} -S"; start the agent if it does not run.`,
  };
}

function tooMany(tool: string, rules: number): Finding {
  return {
    id: 'many-rules',
    level: 'note',
    what: `${tool} walks through ${rules} rules of ${chain} for each packet.`,
    why: 'That costs time; with nftables or ipset it does not grow with the number of blocks.',
    remedy: 'Install nftables or ipset.',
  };
}
