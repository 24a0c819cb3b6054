/** `<command>` and `<active-response>`, as managers' documentation shows them and as people write them. */
import { describe, expect, it } from 'vitest';
import { putTogether, readConfig, readManagerFile, readOwnFile } from '../../agent/config/read.ts';
import { ArError } from '../../agent/errors.ts';
import { knownNames } from '../../agent/settle/known-names.ts';

const read = (text: string) => readConfig(text, 'f.conf', knownNames);
/** Its first line is line 1. */
const inRoot = (text: string) => read(`<ossec_config>${text}\n</ossec_config>`);
const messages = (text: string) => inRoot(text).warnings.map((one) => one.replace('f.conf:', ''));

const command = (name: string, more = '', executable = `${name}.sh`) =>
  `<command><name>${name}</name><executable>${executable}</executable>${more}</command>`;
const srcip = '<expect>srcip</expect>';
const timed = '<timeout_allowed>yes</timeout_allowed>';
const response = (name: string, more: string) =>
  `<active-response><command>${name}</command>${more}</active-response>`;

describe("the documentation's examples", () => {
  it('1: denies a host for a time', () => {
    const { config, warnings } = inRoot(
      `${command('host-deny', `${srcip}${timed}`)}
      ${response('host-deny', '<location>local</location><level>7</level><timeout>600</timeout>')}`,
    );
    expect(warnings).toEqual([]);
    const definition = {
      name: 'host-deny',
      executable: 'host-deny.sh',
      expect: ['srcip'],
      statesExpect: true,
      timeoutAllowed: true,
      extraArgs: [],
    };
    expect(config.commands).toEqual([definition]);
    expect(config.activeResponses).toEqual([
      {
        command: definition,
        disabled: false,
        location: 'local',
        agentIds: [],
        level: 7,
        ruleGroups: undefined,
        ruleIds: undefined,
        timeoutSeconds: 600,
      },
    ]);
    expect(config).toMatchObject({ activeResponseDisabled: false, repeatedOffenderSeconds: [] });
  });

  it('2: restarts, once for each alert', () => {
    const { config, warnings } = inRoot(
      `${command('restart-ossec', '<expect></expect>')}
      ${response('restart-ossec', '<location>local</location><rules_id>10005</rules_id>')}`,
    );
    expect(warnings).toEqual([]);
    expect(config.activeResponses).toMatchObject([
      {
        command: { expect: [], timeoutAllowed: false },
        ruleIds: ['10005'],
        level: undefined,
        timeoutSeconds: undefined,
      },
    ]);
  });

  it('3: names what another system has', () => {
    const { config, warnings } = inRoot(
      `${command('win_route-null', `${srcip}${timed}`, 'route-null.cmd')}
      ${response('win_route-null', '<location>local</location><level>8</level><timeout>900</timeout>')}`,
    );
    expect(warnings).toEqual([]);
    expect(config.activeResponses).toMatchObject([
      { command: { executable: 'route-null.cmd' }, timeoutSeconds: 900 },
    ]);
  });

  it('4: is for one agent, without an end', () => {
    const { config, warnings } = inRoot(
      `${command('pf-block', srcip, 'pf.sh')}
      ${response('pf-block', '<location>defined-agent</location><agent_id>001</agent_id><rules_group>authentication_failed,authentication_failures</rules_group>')}`,
    );
    expect(warnings).toEqual([]);
    expect(config.activeResponses).toMatchObject([
      {
        location: 'defined-agent',
        agentIds: ['001'],
        ruleGroups: ['authentication_failed', 'authentication_failures'],
        timeoutSeconds: undefined,
      },
    ]);
  });

  const fifth = (name: string, more: string) => `
    ${command('firewall-drop', `${srcip}${more}`)}
    <active-response>
      <command>${name}</command>
      <location>all</location>
      <rules_group>authentication_failed|authentication_failures</rules_group>
      <timeout>700</timeout>
      <repeated_offenders>30,60,120</repeated_offenders>
    </active-response>`;

  it('5: has two faults, and both are told with their mend', () => {
    const { config, warnings } = inRoot(fifth('firewall-block', ''));
    expect(config.activeResponses).toEqual([]);
    expect(config.repeatedOffenderSeconds).toEqual([1_800, 3_600, 7_200]);
    expect(warnings).toEqual([
      'f.conf:4:7: this active response is not taken: no <command> has the name "firewall-block". Did you mean "firewall-drop"?',
      'f.conf:7:7: the command "firewall-drop", if that is meant, does not allow a timeout: write <timeout_allowed>yes</timeout_allowed> into its <command>',
    ]);
    expect(messages(fifth('firewall-drop', ''))).toEqual([
      '7:7: the timeout does not count, since the command "firewall-drop" of line 2 does not allow one: write <timeout_allowed>yes</timeout_allowed> into its <command>',
    ]);
  });

  it('5, mended', () => {
    const { config, warnings } = inRoot(fifth('firewall-drop', timed));
    expect(warnings).toEqual([]);
    expect(config.activeResponses).toMatchObject([
      {
        location: 'all',
        ruleGroups: ['authentication_failed', 'authentication_failures'],
        timeoutSeconds: 700,
      },
    ]);
  });

  it('6: is for the manager', () => {
    const { config, warnings } = inRoot(
      `${command('mail-test', '<timeout_allowed>no</timeout_allowed><expect/>')}
      ${response('mail-test', '<location>server</location><rules_id>1002</rules_id>')}`,
    );
    expect(warnings).toEqual([]);
    expect(config.activeResponses).toMatchObject([{ location: 'server', ruleIds: ['1002'] }]);
  });

  it('7: needs no data', () => {
    const { config, warnings } = inRoot(
      `${command('firewall-drop', timed, 'firewall-drop')}
      ${response('firewall-drop', '<location>local</location><rules_id>100100</rules_id><timeout>60</timeout>')}`,
    );
    expect(warnings).toEqual([]);
    expect(config.activeResponses).toMatchObject([
      { command: { expect: [] }, ruleIds: ['100100'], timeoutSeconds: 60 },
    ]);
  });

  it('8: is for an agent that is not named', () => {
    const { config, warnings } = inRoot(
      `${command('firewall-drop', timed)}
      ${response('firewall-drop', '<location>defined-agent</location><rules_id>5712</rules_id><timeout>600</timeout><repeated_offenders>30,60,90</repeated_offenders>')}`,
    );
    expect(warnings).toEqual([
      'f.conf:2:56: the location is defined-agent and there is no <agent_id>: it runs nowhere',
    ]);
    expect(config.activeResponses).toMatchObject([{ agentIds: [], timeoutSeconds: 600 }]);
    expect(config.repeatedOffenderSeconds).toEqual([1_800, 3_600, 5_400]);
  });

  it.each([
    [
      '\n<active\u2010response>\n<disabled>no</disabled>\n</active\u2010response>',
      'f.conf:2:1: "active\u2010response" is written with a typographic hyphen',
      'Write it with the plain one: <active-response>.',
    ],
    [
      '\n<active-response>\n<level>7</level>\n<active-response>',
      'f.conf:4:1: <active-response> is opened again here, inside the <active-response> of line 2, and not closed',
      'If it was meant to close it, write "</active-response>".',
    ],
    [
      '\n<command>\n<name>a<name>\n</command>',
      'f.conf:3:8: <name> is opened again here, inside the <name> of line 3, and not closed',
      'write "</name>"',
    ],
  ])('9: with what copying made of them, %#', (text, message, hint) => {
    let found: unknown;
    try {
      inRoot(text);
    } catch (error) {
      found = error;
    }
    expect(found).toBeInstanceOf(ArError);
    expect(found).toMatchObject({
      code: 'config-invalid',
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    });
  });

  it('9: with typographic hyphens in names, and comments that are none', () => {
    const { config, warnings } = inRoot(`
      <command>
        <name>host\u2010deny</name>
        <executable>host\u2010deny.sh</executable>
      </command>
      ${command('host-deny', timed)}
      <active-response>
        <command>host\u2010deny</command>
        <location>defined\u2010agent</location> # the web server
        <level>7</level>
      </active-response>
      ${response('host\u2013deny', '<location>local</location><level>7</level>')}`);
    expect(config.commands.map(({ name }) => name)).toEqual(['host-deny']);
    expect(config.activeResponses).toEqual([]);
    expect(warnings).toEqual([
      'f.conf:3:9: "host\u2010deny" is written with a typographic hyphen: write "host-deny"',
      'f.conf:4:9: "host\u2010deny.sh" is written with a typographic hyphen: write "host-deny.sh"',
      'f.conf:4:9: this command is not taken: the executable "host\u2010deny.sh" is no plain file name',
      'f.conf:8:9: "host\u2010deny" is written with a typographic hyphen: write "host-deny"',
      'f.conf:9:9: "defined\u2010agent" is written with a typographic hyphen: write "defined-agent"',
      'f.conf:9:9: this active response is not taken: <location> is "defined\u2010agent", and takes: local, server, defined-agent, all',
      expect.stringMatching(/^f\.conf:9:44: "#" does not start a comment/),
      'f.conf:12:24: "host\u2013deny" is written with a typographic hyphen: write "host-deny"',
      'f.conf:12:24: this active response is not taken: no <command> has the name "host\u2013deny". Did you mean "host-deny"?',
    ]);
  });
});

describe('commands', () => {
  it.each([
    ['<command><executable>a</executable></command>', 'a <command> needs a <name>'],
    ['<command><name>a</name></command>', 'a <command> needs an <executable>'],
    [command('a', '', ''), 'a <command> needs an <executable>'],
    [command('a b', '', 'x'), 'the name "a b" has white space in it'],
    [command('a', '', '../../bin/id'), 'the executable "../../bin/id" is a path'],
    [command('a', '', '..'), 'the executable ".." is a path'],
    [command('a', '', '/bin/id'), 'the executable "/bin/id" is a path'],
    [command('a', '', 'bin\\id'), 'is a path'],
    [command('a', '', 'id -u'), 'arguments belong into <extra_args>'],
    [command('a', '', '-rf'), 'is no plain file name'],
    [
      command('a', '<timeout_allowed>maybe</timeout_allowed>'),
      '<timeout_allowed> is "maybe", and takes: yes, no',
    ],
    [
      command('a', '<timeout-allowed>yes</timeout-allowed>'),
      'has no element <timeout-allowed>. Did you mean "timeout_allowed"?',
    ],
  ])('that make no sense are not taken: %s', (text, why) => {
    const { config, warnings } = inRoot(text);
    expect(config.commands).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining('this command is not taken: ')]);
    expect(warnings[0]).toContain(why);
  });

  it('are taken with oddities that are told', () => {
    const { config, warnings } = inRoot(`
      ${command('a', '<expect>srcip, username|filename dstport</expect>', ' firewall-drop')}
      ${command('a', '', 'other')}
      ${command('b', '<timeout_allowed>YES</timeout_allowed><extra_args> -x  1 </extra_args>')}`);
    expect(config.commands).toEqual([
      {
        name: 'a',
        executable: 'firewall-drop',
        expect: ['srcip', 'user', 'filename'],
        statesExpect: true,
        timeoutAllowed: false,
        extraArgs: [],
      },
      expect.objectContaining({ name: 'b', timeoutAllowed: true, extraArgs: ['-x', '1'] }),
    ]);
    expect(warnings).toEqual([
      expect.stringContaining(
        'f.conf:2:30: white space stands around the executable "firewall-drop"',
      ),
      expect.stringContaining('<expect> names "dstport", which no alert carries: it is not taken'),
      'f.conf:3:7: the command "a" is defined on line 2 already: that one counts',
    ]);
  });

  it('as they are installed give no warning', () => {
    const names = ['disable-account', 'firewall-drop', 'host-deny', 'route-null'];
    const { config, warnings } = inRoot(`
      ${names.map((name) => command(name, timed, name)).join('\n')}
      ${command('restart-wazuh', '', 'restart-wazuh')}
      ${command('win_route-null', timed, 'route-null.exe')} ${command('netsh', timed, 'netsh.exe')}
      <active-response><disabled>no</disabled><repeated_offenders>1,5</repeated_offenders>
      </active-response>`);
    expect(warnings).toEqual([]);
    expect(config.commands).toHaveLength(7);
  });

  it('are taken from every root, and not from elsewhere', () => {
    const { config, warnings } = read(`
      ${command('a')}
      <ossec_config>${command('b')}<wodle name="command"><command>/bin/true</command></wodle></ossec_config>
      <agent_config>${command('c')}</agent_config>
      <ar-exec>${command('d')}</ar-exec>`);
    expect(config.commands.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    expect(warnings).toEqual([
      'f.conf:5:16: <command> is not taken here: it belongs into <ossec_config>, beside <ar-exec>',
    ]);
  });
});

describe('active responses', () => {
  const a = command('a', timed);
  const local = '<location>local</location>';

  it.each([
    ['<level>high</level>', '<level> is "high", and takes: 0 to 16'],
    ['<level>17</level>', '<level> is "17"'],
    ['<level>7 # and above</level>', '<level> is "7 # and above"'],
    ['<level></level>', '<level> is ""'],
    ['<rules_id>5712, x</rules_id>', '<rules_id> is "5712, x", and takes: numbers of rules'],
    ['<rules_id></rules_id>', '<rules_id> is ""'],
    ['<rules_group> , </rules_group>', '<rules_group> is ","'],
    ['<rule_id>5712</rule_id>', 'has no element <rule_id>. Did you mean "rules_id"?'],
    ['<timeout>-1</timeout>', '<timeout> is "-1", and takes: whole seconds'],
    ['<timeout>10m</timeout>', '<timeout> is "10m"'],
    ['<disabled>perhaps</disabled>', '<disabled> is "perhaps", and takes: yes, no'],
    ['<location>anywhere</location>', '<location> is "anywhere", and takes: local, server'],
    ['<level>7<timeout>1</timeout></level>', '<level> holds <timeout>, where only text belongs'],
    [
      '<active-response></active-response>',
      'if it was meant to close it, write "</active-response>"',
    ],
  ])('with a condition that is not understood are not taken: %s', (text, why) => {
    const { config, warnings } = inRoot(
      `${a}${response('a', `<rules_id>1</rules_id>${local}${text}`)}`,
    );
    expect(config.activeResponses).toEqual([]);
    const told = warnings.filter((one) => one.includes('this active response is not taken: '));
    expect(told).toEqual([expect.stringContaining(why)]);
  });

  it('need a command', () => {
    expect(messages('<active-response><level>7</level></active-response>')).toEqual([
      '1:15: this active response is not taken: it names no <command>',
    ]);
    expect(messages(response('', '<level>7</level>'))).toEqual(
      [
        expect.stringContaining('not taken: its <command> is empty'),
        expect.stringContaining('names no <location>: it is taken for "local"'),
      ].reverse(),
    );
    expect(messages(response('host-deny', `${local}<level>7</level><timeout>5</timeout>`))).toEqual(
      [
        '1:32: this active response is not taken: no <command> has the name "host-deny". Define it: <command><name>host-deny</name><executable>host-deny</executable><timeout_allowed>yes</timeout_allowed></command>',
      ],
    );
  });

  it('may name a command that is defined further down, though a manager takes none', () => {
    const { config, warnings } = inRoot(`${response('a', `${local}<level>7</level>`)}\n${a}`);
    expect(config.activeResponses).toHaveLength(1);
    expect(warnings).toEqual([
      'f.conf:1:32: the command "a" is defined further down, on line 2: it counts here, but a manager wants it before',
    ]);
  });

  it.each([
    ['', 'no level, rule or group: nothing sets it off'],
    [
      '<level>7</level><agent_id>001</agent_id>',
      '<agent_id> does not count where the location is local',
    ],
    ['<level>7</level><level>8</level>', '<level> is given on line 1 already: this one counts'],
    ['<level>7</level><timeout>999999999</timeout>', 'are more than 10 years: 10 years count'],
  ])('are taken with an oddity that is told: %s', (text, told) => {
    const { config, warnings } = inRoot(`${a}${response('a', local + text)}`);
    expect(config.activeResponses).toHaveLength(1);
    expect(warnings).toEqual([expect.stringContaining(told)]);
  });

  it('have no agents but for defined-agent, and no end after 0 seconds', () => {
    const more = `${local}<level>7</level><agent_id>001</agent_id><timeout>0</timeout>`;
    const { config } = inRoot(`${a}${response('a', more)}`);
    expect(config.activeResponses).toMatchObject([{ agentIds: [], timeoutSeconds: undefined }]);
  });

  it.each([
    ['any', 'all'],
    ['analysisd', 'server'],
    ['AS', 'server'],
    ['Local', 'local'],
  ])('know the place %s as %s', (written, location) => {
    const { config } = inRoot(
      `${a}${response('a', `<level>1</level><location>${written}</location>`)}`,
    );
    expect(config.activeResponses).toMatchObject([{ location }]);
  });

  it('may be turned off one by one, or all', () => {
    const one = inRoot(`${a}${response('a', `${local}<level>7</level><disabled>yes</disabled>`)}`);
    expect(one.config.activeResponses).toMatchObject([{ disabled: true }]);
    expect(one.config.activeResponseDisabled).toBe(false);
    const all = (...words: string[]) => {
      const blocks = words.map(
        (it) => `<active-response><disabled>${it}</disabled></active-response>`,
      );
      const { config, warnings } = inRoot(blocks.join(''));
      expect(warnings).toEqual([]);
      return config.activeResponseDisabled;
    };
    expect(all('yes')).toBe(true);
    expect(all('no')).toBe(false);
    expect(all('yes', 'no')).toBe(false);
  });

  it('leave what agents are upgraded with to the manager', () => {
    expect(
      messages(
        '<active-response><disabled>no</disabled><ca_store>etc/x.pem</ca_store><ca_verification>yes</ca_verification></active-response>',
      ),
    ).toEqual([]);
  });
});

describe('repeated offenders', () => {
  const steps = (...texts: string[]) =>
    inRoot(
      texts
        .map(
          (it) =>
            `<active-response><repeated_offenders>${it}</repeated_offenders></active-response>`,
        )
        .join('\n'),
    );

  it('have as many steps as are configured', () => {
    const { config, warnings } = steps('1, 2|3 4,5,6,7');
    expect(warnings).toEqual([]);
    expect(config.repeatedOffenderSeconds).toEqual([60, 120, 180, 240, 300, 360, 420]);
  });

  it.each([
    ['0', 'is no time at all'],
    ['-5', 'is negative'],
    ['1h', 'is no whole number of minutes'],
    ['1.5', 'is no whole number of minutes'],
    ['9999999', 'is longer than 10 years'],
  ])('refuse the step %s', (text, why) => {
    const { config, warnings } = steps(`30,${text},60`);
    expect(config.repeatedOffenderSeconds).toEqual([1_800, 3_600]);
    expect(warnings).toEqual([
      `f.conf:1:32: <repeated_offenders> holds "${text}", which ${why}: it is not taken; write whole minutes, like 30,60,120`,
    ]);
  });

  it('are those of the first block that has them', () => {
    const { config, warnings } = steps('30', '30', '60');
    expect(config.repeatedOffenderSeconds).toEqual([1_800]);
    expect(warnings).toEqual([
      expect.stringContaining('f.conf:3:18: <repeated_offenders> is given on line 1 already'),
    ]);
  });

  it('may go down, which is told', () => {
    const { config, warnings } = steps('60,30');
    expect(config.repeatedOffenderSeconds).toEqual([3_600, 1_800]);
    expect(warnings).toEqual([expect.stringContaining('goes down to 30m')]);
  });
});

describe("the manager's file", () => {
  const local = '<location>local</location><level>7</level>';
  const together = (own: string, managers: string) =>
    putTogether(
      readOwnFile(own, 'own.conf', knownNames),
      readManagerFile(`<ossec_config>${managers}</ossec_config>`, 'ossec.conf'),
    );

  it('is added to the own one', () => {
    const { config, warnings } = together(
      `${command('a', timed)}${response('b', local)}
      <active-response><repeated_offenders>5</repeated_offenders></active-response>
      <ossec_config><global><white_list>192.0.2.1</white_list></global></ossec_config>`,
      `${command('b')}${response('a', local)}
      <active-response><disabled>yes</disabled><repeated_offenders>9</repeated_offenders></active-response>
      <global><white_list>192.0.2.2</white_list></global>
      <client><server><address>192.0.2.9</address></server></client>`,
    );
    expect(warnings).toEqual([]);
    expect(config.commands.map(({ name }) => name).sort()).toEqual(['a', 'b']);
    expect(config.activeResponses.map((one) => one.command.name)).toEqual(['b', 'a']);
    expect(config.neverBlock.map(({ text }) => text)).toEqual(['192.0.2.1', '192.0.2.2']);
    expect(config).toMatchObject({
      managers: ['192.0.2.9'],
      activeResponseDisabled: true,
      repeatedOffenderSeconds: [300],
    });
  });

  it('has no say where the own one says something', () => {
    const { config } = together(
      `${command('a', timed, 'mine')}${response('a', `${local}<timeout>5</timeout>`)}
      <active-response><disabled>no</disabled></active-response>`,
      `${command('a', '', 'theirs')}${response('a', '<location>all</location><level>3</level>')}
      <active-response><disabled>yes</disabled></active-response>`,
    );
    expect(config.commands).toMatchObject([{ executable: 'mine' }]);
    expect(config.activeResponses).toMatchObject([
      { location: 'local', level: 7, timeoutSeconds: 5, command: { executable: 'mine' } },
    ]);
    expect(config.activeResponseDisabled).toBe(false);
  });

  it('has its active responses go to commands of the own one', () => {
    const { config, warnings } = together(
      command('a', '', 'mine'),
      `${command('a', timed, 'theirs')}${response('a', `${local}<timeout>5</timeout>`)}`,
    );
    expect(config.activeResponses).toMatchObject([{ command: { executable: 'mine' } }]);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^ossec\.conf:1:\d+: the timeout does not count, since the command "a" does/,
      ),
    ]);
  });

  it('has no settings of ours', () => {
    const { config, warnings } = together('', '<ar-exec><on_stop>revert</on_stop></ar-exec>');
    expect(config.onStop).toBe('keep');
    expect(warnings).toEqual([
      "ossec.conf:1:15: <ar-exec> counts in ar-exec's own file only: it is not taken",
    ]);
  });
});
