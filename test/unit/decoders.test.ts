/**
 * What a manager makes of our logs: its own decoders on active-responses.log, and the rules of
 * scripts/wazuh on the results log.
 */
import { readFileSync } from 'node:fs';
import { SaxesParser } from 'saxes';
import { describe, expect, test } from 'vitest';
import * as ossec from '../../agent/intake/dialects/ossec.ts';
import * as wazuh4 from '../../agent/intake/dialects/wazuh4.ts';
import * as wazuh5 from '../../agent/intake/dialects/wazuh5.ts';
import { noCommands } from '../../agent/intake/message.ts';
import { addedLines, failedLines, removedLines } from '../../agent/observe/manager-lines.ts';
import { type Result, type ResultKind, resultLine } from '../../agent/observe/results-log.ts';

/**
 * Wazuh's decoders (ruleset 4.14.7: 0010-active-response_decoders.xml), OS_Regex in the expressions of
 * JavaScript: its \w has @ and - besides, its \p is punctuation, its \s a space, its \. any character.
 */
const wazuh = {
  words:
    /^[\w@-]{3} [\w@-]+ +\d+ \d\d:\d\d:\d\d [()*+,\-.:;<=>?[\]!"'#$%&|{}]*[\w@-]+ \d+ \/\S+\/active-response\/bin\//,
  /** Whether OS_Regex takes as little as it can, or as much, must not matter. */
  fields: [/^(\S+) (\S+) \S+ (\S+) (.+?) /, /^(\S+) (\S+) \S+ (\S+) (.+) /],
  extra: /^(\d+)/,
  json: /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d active-response\/bin\/\S+: /,
  srcip: /"data":\{"srcip":"([^"]+)"/,
  eventdata: /"eventdata":\{.*?(?:ipAddress|destinationIp)":"([^"]+)"/,
  user: /"data":\{.*?"dstuser":"([^"]+)"/,
};

/** OSSEC's decoder ar_log (etc/decoder.xml), which is written in PCRE. */
const ossecDecoder = {
  prematch:
    /^[A-Za-z0-9@_-]{3} [A-Za-z0-9@_-]+?[ ]+?\d+? \d{2}:\d{2}:\d{2} [A-Za-z0-9@_-]+? \d+? \/\S+\/active-response/,
  fields: /\/bin\/(\S+) (\S+) - (\S+) (\d+?\.\d+?) (\d+)/,
};

const at = new Date('2011-05-07T03:17:27Z');
const made = { key: '203.0.113.7', driver: 'nftables' };

describe('argument lines', () => {
  const message =
    'firewall-drop.sh600 - 203.0.113.7 1609869.80794 554 (web) any->/var/log/auth.log - -';
  const { managerLine = '' } = ossec.fromManager(message, noCommands);

  test.each([
    ['add', addedLines(managerLine, made, at)],
    ['delete', removedLines(managerLine, made, at)],
  ])('give Wazuh script, type, srcip, id and rule: %s', (type, text) => {
    const line = text.trimEnd();
    const prematch = wazuh.words.exec(line)?.[0] ?? '';
    const after = line.slice(prematch.length);
    for (const regex of wazuh.fields) {
      const [all = '', ...fields] = regex.exec(after) ?? [];
      expect(fields).toEqual(['firewall-drop.sh', type, '203.0.113.7', '1609869.80794']);
      expect(wazuh.extra.exec(after.slice(all.length))?.[1]).toBe('554');
    }
  });

  test.each([
    ['add', addedLines(managerLine, made, at)],
    ['delete', removedLines(managerLine, made, at)],
  ])('give OSSEC action, status, srcip, id and rule: %s', (status, text) => {
    expect(text).toMatch(ossecDecoder.prematch);
    const fields = ossecDecoder.fields.exec(text)?.slice(1);
    expect(fields).toEqual(['firewall-drop.sh', status, '203.0.113.7', '1609869.80794', '554']);
  });

  test('give no response where there was none', () => {
    for (const why of ['nft: exit 1', `${managerLine}`]) {
      const text = failedLines(managerLine, why, at);
      expect(text).not.toMatch(wazuh.words);
      expect(text).not.toMatch(ossecDecoder.prematch);
    }
  });
});

describe('lines of JSON', () => {
  const events = (text: string) =>
    text.split('\n').flatMap((line) => {
      if (line === '') return [];
      expect(line).toMatch(wazuh.json);
      const after = line.replace(wazuh.json, '');
      if (!after.startsWith('{')) return [];
      const { command, parameters } = JSON.parse(after);
      const [srcip, eventdata, user] = [wazuh.srcip, wazuh.eventdata, wazuh.user].map(
        (regex) => regex.exec(after)?.[1],
      );
      return [{ command, program: parameters?.program, srcip: srcip ?? eventdata, user }];
    });
  /** What rules 650 to 657 make alerts of. */
  const alerts = (text: string) =>
    events(text).filter(
      ({ command, program }) => /add|delete/.test(command) && program !== undefined,
    );
  const line = (data: object): string =>
    wazuh4.fromManager(
      {
        version: 1,
        origin: { name: 'node01', module: 'wazuh-analysisd' },
        command: 'firewall-drop600',
        parameters: { extra_args: [], alert: { rule: { id: '5763' }, data } },
      },
      noCommands,
    ).managerLine ?? '';
  const program = 'active-response/bin/firewall-drop';

  test('give Wazuh 4 command, program, srcip and user', () => {
    const text = line({ srcip: '203.0.113.7', dstuser: 'carol' });
    const facts = { program, srcip: '203.0.113.7', user: 'carol' };
    expect(alerts(addedLines(text, made, at))).toEqual([{ command: 'add', ...facts }]);
    expect(alerts(removedLines(text, made, at))).toEqual([{ command: 'delete', ...facts }]);
    expect(alerts(failedLines(text, 'nft: exit 1', at))).toEqual([]);
  });

  test.each([
    [
      'netsh',
      '203.0.113.7 is not enforced: not enforced: the Windows firewall would do nothing: x',
    ],
    ['netsh', 'netsh=no (not enforced: the service of the Windows firewall (MpsSvc) does not run)'],
    ['pf', 'pf=no (not enforced: pf is disabled) -> none'],
  ])('give it what rule 658 takes for a firewall that is off: %s', (script, why) => {
    const text = failedLines(line({ srcip: '203.0.113.7' }), why, at);
    const told = text.split('\n').flatMap((one) => {
      const after = one.replace(wazuh.json, '');
      return after.startsWith('{') ? [JSON.parse(after)] : [];
    });
    expect(told).toMatchObject([{ status: 'inactive', script }]);
    expect(alerts(text)).toEqual([]);
    expect(failedLines(line({}), 'nft: exit 1', at)).not.toContain('inactive');
  });

  test("give it the address of Windows' events", () => {
    const text = line({ win: { eventdata: { ipAddress: '203.0.113.9' } } });
    expect(alerts(addedLines(text, made, at))).toMatchObject([{ srcip: '203.0.113.9' }]);
  });

  test('are in the same form for Wazuh 5', () => {
    const document = {
      wazuh: { active_response: { name: 'block-ip', executable: 'block-ip' } },
      source: { ip: '203.0.113.7' },
    };
    const { managerLine = '' } = wazuh5.fromManager(document);
    const commands = (text: string) => events(text).map(({ command }) => command);
    expect(commands(addedLines(managerLine, made, at))).toEqual([
      'enable',
      'check_keys',
      'continue',
    ]);
    expect(commands(removedLines(managerLine, made, at))).toEqual(['disable']);
    expect(commands(failedLines(managerLine, 'nft: exit 1', at))).toEqual([]);
  });
});

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: Element[];
  text: string;
}

/** Throws where it is not well-formed. */
function readXml(name: string): Element {
  const root: Element = { name: '', attributes: {}, children: [], text: '' };
  const open = [root];
  const parser = new SaxesParser();
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', ({ name, attributes }) => {
    const element = { name, attributes, children: [], text: '' };
    open.at(-1)?.children.push(element);
    open.push(element);
  });
  parser.on('text', (text) => {
    const element = open.at(-1);
    if (element !== undefined) element.text += text;
  });
  parser.on('closetag', () => open.pop());
  parser.write(readFileSync(new URL(`../../scripts/wazuh/${name}`, import.meta.url), 'utf8'));
  parser.close();
  return root;
}

describe('the rules for the results log', () => {
  const [group] = readXml('ar_exec_rules.xml').children;
  const rules = (group?.children ?? []).map(({ attributes, children }) => ({
    id: Number(attributes['id']),
    level: Number(attributes['level']),
    parent: Number(children.find(({ name }) => name === 'if_sid')?.text),
    fields: children.filter(({ name }) => name === 'field'),
    names: children.map(({ name }) => name),
  }));

  /** A small matcher as analysisd's: of the rules below one that fits, the one that fits. */
  const ruleFor = (result: Result): number | undefined => {
    const { ar_exec } = JSON.parse(resultLine(result, at));
    const fits = ({ fields }: (typeof rules)[number]): boolean =>
      fields.every(({ attributes, text }) => {
        const value = ar_exec[attributes['name']?.replace('ar_exec.', '') ?? ''];
        return value !== undefined && new RegExp(text.replaceAll('\\.', '.')).test(String(value));
      });
    const below = (parent: number): number | undefined => {
      const next = rules.filter((rule) => rule.parent === parent && fits(rule));
      expect(next.length).toBeLessThan(2);
      return next[0] === undefined ? undefined : (below(next[0].id) ?? next[0].id);
    };
    const [first] = rules;
    return first !== undefined && fits(first) ? (below(first.id) ?? first.id) : undefined;
  };

  const kinds: Record<ResultKind, number> = {
    applied: 119_801,
    refreshed: 119_802,
    done: 119_803,
    reverted: 119_804,
    expired: 119_804,
    forgotten: 119_804,
    waiting: 119_805,
    repaired: 119_806,
    refused: 119_807,
    failed: 119_810,
    released: 119_809,
    suspended: 119_814,
    resumed: 119_815,
  };
  test.each(Object.entries(kinds))('tell apart: %s', (result, id) => {
    expect(ruleFor({ result: result as ResultKind, verb: 'add' })).toBe(id);
  });

  test.each([
    [{ result: 'refused', verb: 'add', code: 'target-protected' }, 119_808],
    [{ result: 'failed', verb: 'delete', code: 'driver-failed' }, 119_811],
    [{ result: 'failed', verb: 'delete', code: 'not-held' }, 119_813],
    [{ result: 'failed', verb: 'repair' }, 119_812],
  ] as const)('tell apart: %j', (result, id) => {
    expect(ruleFor(result)).toBe(id);
  });

  test('have a higher level for what is not so than for what is', () => {
    const levelOf = (result: Result) => rules.find(({ id }) => id === ruleFor(result))?.level ?? 0;
    for (const good of ['applied', 'refreshed', 'done', 'expired'] as const) {
      expect(levelOf({ result: good, verb: 'add' })).toBe(3);
    }
    for (const verb of ['add', 'delete', 'repair'] as const) {
      expect(levelOf({ result: 'failed', verb })).toBeGreaterThan(6);
    }
  });

  test('keep to ids of the user, each once, and to the ids and the group that the agent knows', () => {
    const ids = rules.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id >= 119_800 && id <= 119_849).toBe(true);
    expect(group?.attributes['name']?.split(',')).toContain('ar_exec');
    expect(rules.every(({ names }) => names.at(-1) === 'description')).toBe(true);
  });

  test('name members that there are', () => {
    const text = readFileSync(
      new URL('../../scripts/wazuh/ar_exec_rules.xml', import.meta.url),
      'utf8',
    );
    const named = [...text.matchAll(/\$\(ar_exec\.(\w+)\)|name="ar_exec\.(\w+)"/g)];
    const members: readonly (keyof Result)[] = [
      'result',
      'verb',
      'response',
      'target',
      'driver',
      'code',
      'reason',
      'refused',
    ];
    expect(named.length).toBeGreaterThan(10);
    for (const [, inText, inField] of named) expect(members).toContain(inText ?? inField);
  });
});

test('the piece for an agent is well-formed, and reads the log as JSON', () => {
  const [root] = readXml('ar_exec_localfile.xml').children;
  const [localfile] = root?.children ?? [];
  expect(localfile?.children.map(({ name, text }) => [name, text])).toEqual([
    ['log_format', 'json'],
    ['location', '/var/ossec/logs/ar-exec-results.json'],
  ]);
});
