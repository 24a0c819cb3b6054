import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import * as ossec from '../../agent/intake/dialects/ossec.ts';
import * as wazuh5 from '../../agent/intake/dialects/wazuh5.ts';
import { noCommands } from '../../agent/intake/message.ts';
import { cDate } from '../../agent/observe/c-date.ts';
import {
  addedLines,
  checkKeysLine,
  failedLines,
  removedLines,
} from '../../agent/observe/manager-lines.ts';

const at = new Date('2011-05-07T03:17:27Z');
const timeless = (text: string): string =>
  text.replaceAll(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /gm, 'TS ');

describe('Wazuh 5', () => {
  const document = {
    wazuh: {
      active_response: {
        name: 'block-ip',
        executable: 'block-ip',
        type: 'stateful',
        stateful_timeout: 60,
      },
    },
    source: { ip: '203.0.113.7' },
  };
  const { managerLine = '' } = wazuh5.fromManager(document);
  const received = (command: string): string => JSON.stringify({ ...document, command });
  const made = { key: '203.0.113.7', driver: 'nftables' };
  const program = 'TS active-response/bin/block-ip:';

  test('has what its block-ip writes, with the driver for a method', () => {
    expect(timeless(addedLines(managerLine, made, at))).toBe(
      [
        `${program} Starting\n`,
        `${program} ${received('enable')}\n\n`,
        `${program} {"version":1,"origin":{"name":"block-ip","module":"active-response"},"command":"check_keys","parameters":{"keys":["203.0.113.7"]}}\n`,
        `${program} ${received('continue')}\n\n`,
        `${program} [INFO] Method=nftables Action=start Details=Attempting method: nftables (lock=no)\n`,
        `${program} [INFO] Method=nftables Action=success Details=IP 203.0.113.7 successfully blocked\n`,
        `${program} Ended\n`,
      ].join(''),
    );
  });

  test('and for the end', () => {
    expect(timeless(removedLines(managerLine, made, at))).toBe(
      [
        `${program} Starting\n`,
        `${program} ${received('disable')}\n\n`,
        `${program} [INFO] Method=nftables Action=start Details=Attempting method: nftables (lock=no)\n`,
        `${program} [INFO] Method=nftables Action=success Details=IP 203.0.113.7 successfully unblocked\n`,
        `${program} Ended\n`,
      ].join(''),
    );
  });

  test('has no method where no address is acted on', () => {
    const text = addedLines(managerLine, { key: 'carol' }, at);
    expect(text).not.toContain('Method=');
    expect(text).toContain('"keys":["carol"]');
  });

  test('has no secret of the arguments', () => {
    const order = {
      ...document.wazuh.active_response,
      extra_arguments: 'https://h.example/s3cret',
    };
    const line = JSON.stringify({ ...document, wazuh: { active_response: order } });
    for (const text of [addedLines(line, made, at), removedLines(line, made, at)]) {
      expect(text).not.toContain('s3cret');
      expect(text).toContain('https://h.example/***');
    }
  });
});

describe('OSSEC', () => {
  const message =
    'firewall-drop.sh600 - 203.0.113.7 1609869.80794 554 (web) any->/var/log/auth.log - -';
  const { managerLine = '' } = ossec.fromManager(message, noCommands);
  const script = '/var/ossec/active-response/bin/firewall-drop.sh';

  test('has what its scripts write: the date, the name, five arguments', () => {
    expect(addedLines(managerLine, {}, at)).toBe(
      `${cDate(at)} ${script} add - 203.0.113.7 1609869.80794 554\n`,
    );
    expect(removedLines(managerLine, {}, at)).toBe(
      `${cDate(at)} ${script} delete - 203.0.113.7 1609869.80794 554\n`,
    );
  });

  test('keeps its spaces where arguments are missing, which the decoder needs', () => {
    expect(addedLines(`${script} add - 203.0.113.7`, {}, at)).toMatch(
      / add - 203\.0\.113\.7 {2}\n$/,
    );
  });

  test('has the reason alone for what failed', () => {
    expect(failedLines(managerLine, 'nft:\nexit 1', at)).toBe(
      `${cDate(at)} Unable to run active response (firewall-drop.sh: nft: exit 1).\n`,
    );
  });

  test.each([
    ['UTC', 'Sat May  7 03:17:27 UTC 2011'],
    ['Europe/Berlin', 'Sat May  7 05:17:27 CEST 2011'],
    ['Asia/Kolkata', 'Sat May  7 08:47:27 IST 2011'],
    ['Australia/Sydney', 'Sat May  7 13:17:27 AEST 2011'],
    ['America/Sao_Paulo', 'Sat May  7 00:17:27 -03 2011'],
    ['Asia/Tokyo', 'Sat May  7 12:17:27 JST 2011'],
  ])('tells the time as date does, in %s', async (zone, text) => {
    const module = new URL('../../agent/observe/c-date.ts', import.meta.url).href;
    const print = `import { cDate } from ${JSON.stringify(module)};
      process.stdout.write(cDate(new Date(${at.getTime()})));`;
    const words = ['--input-type=module', '-e', print];
    const { stdout } = await execa(process.execPath, words, { env: { TZ: zone } });
    expect(stdout).toBe(text);
  });
});

describe('a one-shot', () => {
  test('has no handshake', () => {
    const line = `{"version":1,"command":"add","parameters":{"program":"active-response/bin/restart-wazuh"}}`;
    const program = 'TS active-response/bin/restart-wazuh:';
    expect(timeless(addedLines(line, {}, at))).toBe(
      `${program} Starting\n${program} ${line}\n\n${program} Ended\n`,
    );
  });
});

describe("a stranger's text", () => {
  const forged = 'x\n2026/11/21 14:19:16 active-response/bin/firewall-drop: {}';
  const inProgram = JSON.stringify({
    command: 'add',
    parameters: { program: `active-response/bin/${forged}` },
  });
  const inExecutable = JSON.stringify({ wazuh: { active_response: { executable: forged } } });
  const inWords = `/var/ossec/active-response/bin/${forged} add - ${forged} 1.2 3`;

  test.each([
    '',
    ' ',
    '{',
    '{}',
    '[]',
    'null',
    '{"parameters":7}',
    '{"parameters":{"program":{}}}',
    '{"parameters":{"extra_args":{"a":1}}}',
    '{"wazuh":null}',
    '{"wazuh":{"active_response":[]}}',
    '{"wazuh":{"active_response":{"executable":7,"extra_arguments":[]}}}',
    '{"__proto__":{"parameters":{}}}',
    'one',
    inProgram,
    inExecutable,
    inWords,
  ])('begins no line of its own and breaks nothing: %j', (line) => {
    const texts = [
      addedLines(line, { key: '203.0.113.7', driver: 'nftables' }, at),
      addedLines(line, {}, at),
      removedLines(line, {}, at),
      failedLines(line, forged, at),
    ];
    const begin =
      /^(?:\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d active-response\/bin\/\S+: |\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \w+ \d{4} )/;
    for (const one of texts.join('').split('\n')) {
      if (one !== '') expect(one).toMatch(begin);
      expect(one).not.toMatch(/^2026/);
    }
  });

  test('keeps to one program in the handshake', () => {
    expect(JSON.parse(checkKeysLine('active-response/bin/a"b', 'k"')).parameters.keys).toEqual([
      'k"',
    ]);
  });
});
