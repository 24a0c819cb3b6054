import { existsSync } from 'node:fs';
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultPaths } from '../../agent/config/default-paths.ts';
import { loadConfig } from '../../agent/config/load.ts';
import { readConfig } from '../../agent/config/read.ts';
import { readXml } from '../../agent/config/xml.ts';
import { ArError } from '../../agent/errors.ts';

const known = {
  responses: ['firewall-drop', 'host-deny'],
  drivers: ['nftables', 'ipset', 'iptables', 'hosts-deny'],
};
const fixture = new URL('../fixtures/wazuh-agent.conf', import.meta.url).pathname;

const read = (text: string) => readConfig(text, 'f.conf', known);
const readOurs = (inner: string) => read(`<ar-exec>\n${inner}\n</ar-exec>`);
const texts = (targets: readonly { text: string }[]) => targets.map((target) => target.text);

function refusal(text: string): { code: string; message: string; hint: string } {
  try {
    read(text);
  } catch (error) {
    if (error instanceof ArError) return error;
    throw error;
  }
  throw new Error('was not refused');
}

describe('settings', () => {
  it.each(['', '  \n', '<!-- nothing -->', '<ossec_config/>', '<ar-exec/>', '\uFEFF<ar-exec/>'])(
    'have defaults: %j',
    (text) => {
      const { config, warnings } = read(text);
      expect(warnings).toEqual([]);
      expect(config).toEqual({
        neverBlock: [],
        managers: [],
        commands: [],
        activeResponses: [],
        activeResponseDisabled: false,
        repeatedOffenderSeconds: [],
        repeatedOffendersForgetSeconds: 86_400,
        agentId: undefined,
        agentName: undefined,
        agentRole: 'agent',
        alertsFile: undefined,
        managerConfig: undefined,
        widestPrefixIpv4: 16,
        widestPrefixIpv6: 32,
        drivers: new Map(),
        iptablesVariant: '',
        hostsDenyFile: '/etc/hosts.deny',
        nftablesSet: { ipv4: 'inet filter ossec_ar4', ipv6: 'inet filter ossec_ar6' },
        firewalld: { zone: 'ar-exec', ipset4: 'ar-exec4', ipset6: 'ar-exec6' },
        dbusSocket: '/run/dbus/system_bus_socket',
        establishedConnections: 'auto',
        ipsetSet: { ipv4: '', ipv6: '' },
        pf: { anchor: '', table: 'ar_exec' },
        ipfw: { table: 'ar_exec', rule: '1' },
        routeNull: { store: 'active' },
        npf: { table: 'ar_exec' },
        blockFolder: '/ipblock',
        managerHome: '/var/ossec',
        killProcess: {
          grace: '0',
          family: 'no',
          clockSkew: '2',
          never: expect.stringMatching(/^\/usr\/lib\/systemd\n.*sshd/s),
        },
        quarantine: {
          folder: '/var/lib/ar-exec/quarantine',
          roots: expect.stringMatching(/^\/home\n\/root\n.*\n\/usr\/local$/s),
          never: '',
        },
        disableAccount: { expire: 'yes', endSessions: 'no', never: [] },
        scripts: new Map(),
        notifications: [],
        scriptsFolder: undefined,
        scriptTimeLimitSeconds: 60,
        toolTimeLimitSeconds: 20,
        onStop: 'keep',
        socketGroup: 'ar-exec',
        limits: {
          connections: 256,
          messageBytes: 131_072,
          pendingRequests: 100_000,
          activeActions: 100_000,
          scriptsAtOnce: 16,
          requestsPerSecond: 50_000,
        },
        breaker: { perMinute: 2_000, held: 20_000, calmSeconds: 300 },
        history: { keepDays: 30, keepEntries: 100_000 },
        reconcileEverySeconds: 60,
        logLevel: 'info',
        logFile: undefined,
        activeResponsesLog: undefined,
        managerQueue: 'no',
        resultsLog: undefined,
      });
    },
  );

  it('are all read', () => {
    const { config, warnings } = readOurs(`
      <never_block>192.0.2.1, 198.51.100.77/24
        2001:DB8::1</never_block>
      <widest_prefix_ipv4>24</widest_prefix_ipv4> <widest_prefix_ipv6>48</widest_prefix_ipv6>
      <driver response="firewall-drop">ipset, iptables</driver>
      <driver response='host-deny'>hosts-deny</driver>
      <iptables_variant>legacy</iptables_variant>
      <hosts_deny_file>/srv/deny</hosts_deny_file>
      <nftables_set><ipv4> ip  my-table my.set4 </ipv4><ipv6></ipv6></nftables_set>
      <ipset_set><ipv4>my:set4</ipv4><ipv6>6</ipv6></ipset_set>
      <pf><anchor>fence/ours</anchor><table>bad_hosts</table></pf>
      <ipfw><table>1</table><rule>00050</rule></ipfw> <npf><table>wazuh_blacklist</table></npf>
      <route_null><store>persistent</store></route_null>
      <established_connections>keep</established_connections>
      <block_folder>/srv/blocked</block_folder> <manager_home>/opt/ossec</manager_home>
      <manager_config>none</manager_config> <agent_id>007</agent_id>
      <agent_name>web-01.example</agent_name> <agent_role>manager</agent_role>
      <alerts_file>/srv/alerts.json</alerts_file>
      <repeated_offenders_forget>7d</repeated_offenders_forget>
      <disable_account><expire>no</expire> <end_sessions>yes</end_sessions></disable_account>
      <never_disable>alice, @admins</never_disable> <never_disable>bob</never_disable>
      <kill_process>
        <grace>5</grace> <family>yes</family> <clock_skew>0</clock_skew>
        <never>/opt/a b/c,
          /opt/d</never>
      </kill_process>
      <firewalld><zone>fence</zone><ipset_ipv4>a_4</ipset_ipv4><ipset_ipv6>6</ipset_ipv6></firewalld>
      <dbus_socket>/srv/bus</dbus_socket>
      <quarantine>
        <folder>/srv/held</folder> <roots>/data</roots> <never>/data/a, /data/b</never>
      </quarantine>
      <scripts_folder>/srv/responses</scripts_folder> <script_time_limit>2m</script_time_limit>
      <tool_time_limit>45s</tool_time_limit>
      <script name="tell"/>
      <script name="block" file="block.py" dialect="json-keys" stateful="yes" time_limit="90s"
        at_once="2" guard="yes" log="no"> --zone  web </script>
      <on_stop>revert</on_stop> <socket_group>soc</socket_group>
      <limits>
        <connections>8</connections> <message_bytes>4096</message_bytes>
        <pending_requests>9</pending_requests> <active_actions>10</active_actions>
        <scripts_at_once>3</scripts_at_once> <requests_per_second>100</requests_per_second>
      </limits>
      <breaker><per_minute>0</per_minute> <held>50</held> <calm>1m</calm></breaker>
      <history> <keep_days>7</keep_days> <keep_entries>100</keep_entries> </history>
      <reconcile_every>5m</reconcile_every>
      <log_level>debug</log_level> <log_file>/var/log/a.log</log_file>
      <active_responses_log>/var/log/b.log</active_responses_log>
      <manager_queue>wazuh4</manager_queue> <results_log>/var/log/c.json</results_log>`);
    expect(warnings).toEqual([]);
    expect(texts(config.neverBlock)).toEqual(['192.0.2.1', '198.51.100.0/24', '2001:db8::1']);
    expect({ ...config, neverBlock: [] }).toEqual({
      neverBlock: [],
      managers: [],
      commands: [],
      activeResponses: [],
      activeResponseDisabled: false,
      repeatedOffenderSeconds: [],
      repeatedOffendersForgetSeconds: 604_800,
      agentId: '007',
      agentName: 'web-01.example',
      agentRole: 'manager',
      alertsFile: '/srv/alerts.json',
      managerConfig: 'none',
      widestPrefixIpv4: 24,
      widestPrefixIpv6: 48,
      drivers: new Map([
        ['firewall-drop', ['ipset', 'iptables']],
        ['host-deny', ['hosts-deny']],
      ]),
      iptablesVariant: 'legacy',
      hostsDenyFile: '/srv/deny',
      nftablesSet: { ipv4: 'ip my-table my.set4', ipv6: '' },
      firewalld: { zone: 'fence', ipset4: 'a_4', ipset6: '6' },
      dbusSocket: '/srv/bus',
      establishedConnections: 'keep',
      ipsetSet: { ipv4: 'my:set4', ipv6: '6' },
      pf: { anchor: 'fence/ours', table: 'bad_hosts' },
      ipfw: { table: '1', rule: '50' },
      routeNull: { store: 'persistent' },
      npf: { table: 'wazuh_blacklist' },
      blockFolder: '/srv/blocked',
      managerHome: '/opt/ossec',
      disableAccount: { expire: 'no', endSessions: 'yes', never: ['alice', '@admins', 'bob'] },
      killProcess: { grace: '5', family: 'yes', clockSkew: '0', never: '/opt/a b/c\n/opt/d' },
      quarantine: { folder: '/srv/held', roots: '/data', never: '/data/a\n/data/b' },
      notifications: [],
      scripts: new Map([
        ['tell', expect.objectContaining({ extraArgs: [] })],
        [
          'block',
          {
            file: 'block.py',
            dialect: 'json-keys',
            stateful: 'yes',
            timeLimitSeconds: 90,
            atOnce: 2,
            guard: true,
            log: false,
            extraArgs: ['--zone', 'web'],
          },
        ],
      ]),
      scriptsFolder: '/srv/responses',
      scriptTimeLimitSeconds: 120,
      toolTimeLimitSeconds: 45,
      onStop: 'revert',
      socketGroup: 'soc',
      limits: {
        connections: 8,
        messageBytes: 4096,
        pendingRequests: 9,
        activeActions: 10,
        scriptsAtOnce: 3,
        requestsPerSecond: 100,
      },
      breaker: { perMinute: 0, held: 50, calmSeconds: 60 },
      history: { keepDays: 7, keepEntries: 100 },
      reconcileEverySeconds: 300,
      logLevel: 'debug',
      logFile: '/var/log/a.log',
      activeResponsesLog: '/var/log/b.log',
      managerQueue: 'wazuh4',
      resultsLog: '/var/log/c.json',
    });
  });

  it.each([
    ['<script/>', '<script> has the name "", which is no file name'],
    ['<script name="../x"/>', '<script> has the name "../x", which is no file name'],
    ['<script name=".hidden"/>', '<script> has the name ".hidden", which is no file name'],
    ['<script name="-x"/>', '<script> has the name "-x", which is no file name'],
    ['<script name="x" file="a/b"/>', '<script> has file="a/b", which it does not take'],
    ['<script name="x" dialect="xml"/>', '<script> has dialect="xml", which it does not take'],
    ['<script name="x" stateful="maybe"/>', 'stateful="maybe"'],
    ['<script name="x" time_limit="2h"/>', 'time_limit="2h"'],
    ['<script name="x" at_once="0"/>', 'at_once="0"'],
    ['<script name="x" tiemout="1"/>', '<script> has no attribute "tiemout"'],
    ['<script name="firewall-drop"/>', '"firewall-drop" is a response of its own already'],
    ['<script name="x"><y/></script>', '<script> holds <y>, where only arguments belong'],
  ])('refuse a script like %s', (text, message) => {
    expect(refusal(`<ar-exec>${text}</ar-exec>`)).toMatchObject({
      code: 'config-invalid',
      message: expect.stringContaining(message),
      hint: expect.stringContaining('<script name="custom-ar.py"'),
    });
  });

  it('are gathered from every section, wherever it stands', () => {
    const { config } = read(`
      <ar-exec><never_block>192.0.2.1</never_block></ar-exec>
      <ossec_config><ar-exec><limits><connections>3</connections></limits></ar-exec></ossec_config>
      <agent_config os="Linux"><x><ar-exec><never_block>192.0.2.2</never_block></ar-exec></x></agent_config>`);
    expect(texts(config.neverBlock)).toEqual(['192.0.2.1', '192.0.2.2']);
    expect(config.limits.connections).toBe(3);
  });

  it.each([
    ['<widest_prefix_ipv4>33</widest_prefix_ipv4>', '1 to 32'],
    ['<widest_prefix_ipv4>0</widest_prefix_ipv4>', '1 to 32'],
    ['<widest_prefix_ipv6>129</widest_prefix_ipv6>', '1 to 128'],
    ['<limits><connections>0</connections></limits>', '1 to 10000'],
    ['<limits><connections>-1</connections></limits>', '1 to 10000'],
    ['<limits><message_bytes>64k</message_bytes></limits>', '1024 to 1048576'],
    ['<limits><active_actions>1e3</active_actions></limits>', '1 to 1000000'],
    ['<history><keep_days></keep_days></history>', '1 to 3650'],
    ['<reconcile_every>1s</reconcile_every>', '5s to 1d'],
    ['<reconcile_every>often</reconcile_every>', '5s to 1d'],
    ['<on_stop>Keep</on_stop>', 'keep, revert'],
    ['<iptables_variant>nftables</iptables_variant>', 'nft, legacy, empty'],
    ['<hosts_deny_file>hosts.deny</hosts_deny_file>', 'an absolute path'],
    ['<hosts_deny_file>/etc/../x</hosts_deny_file>', 'an absolute path'],
    ['<nftables_set><ipv4>blocked4</ipv4></nftables_set>', 'a family, a table and a set, or empty'],
    ['<nftables_set><ipv6>ip a b;c</ipv6></nftables_set>', 'a family, a table and a set, or empty'],
    ['<nftables_set><ipv6>ip -a b</ipv6></nftables_set>', 'a family, a table and a set, or empty'],
    ['<pf><anchor>_ours</anchor></pf>', 'the path of an anchor, or empty'],
    ['<pf><anchor>ours/*</anchor></pf>', 'the path of an anchor, or empty'],
    ['<pf><anchor>-f</anchor></pf>', 'the path of an anchor, or empty'],
    ['<pf><table>a b</table></pf>', 'the name of a table'],
    ['<pf><table></table></pf>', 'the name of a table'],
    ['<pf><table>this_is_a_name_of_32_characters_</table></pf>', 'the name of a table'],
    ['<ipset_set><ipv4>two sets</ipv4></ipset_set>', 'the name of a set, or empty'],
    ['<ipset_set><ipv4>-exist</ipv4></ipset_set>', 'the name of a set, or empty'],
    [`<ipset_set><ipv6>${'x'.repeat(32)}</ipv6></ipset_set>`, 'the name of a set, or empty'],
    ['<ipfw><table>two tables</table></ipfw>', 'the name of a table, up to 63 characters'],
    ['<ipfw><table>all</table></ipfw>', 'the name of a table, up to 63 characters'],
    ['<route_null><store>both</store></route_null>', 'active, persistent'],
    ['<ipfw><rule>0</rule></ipfw>', '1 to 65534'],
    ['<ipfw><rule>65535</rule></ipfw>', '1 to 65534'],
    ['<npf><table>1</table></npf>', 'the name of a table, up to 31 characters'],
    [`<npf><table>${'x'.repeat(32)}</table></npf>`, 'the name of a table, up to 31 characters'],
    ['<log_file>/var/log/</log_file>', 'an absolute path'],
    ['<disable_account><expire>true</expire></disable_account>', 'yes, no'],
    ['<firewalld><zone>-x</zone></firewalld>', 'a name of up to 17 characters'],
    ['<firewalld><zone>abcdefghijklmnopqr</zone></firewalld>', 'a name of up to 17 characters'],
    ['<firewalld><ipset_ipv4></ipset_ipv4></firewalld>', 'a name of up to 31 characters'],
    ['<dbus_socket>tcp:host=x</dbus_socket>', 'an absolute path'],
    ['<quarantine><roots>/a, b</roots></quarantine>', 'absolute paths, separated'],
    ['<quarantine><roots>/a/../b</roots></quarantine>', 'absolute paths, separated'],
    ['<log_file>/var/l\nog</log_file>', 'an absolute path'],
    ['<socket_group>a b</socket_group>', 'a group name'],
    ['<manager_config>None</manager_config>', 'an absolute path, or none'],
    ['<agent_id>web-01</agent_id>', 'a number, like 001'],
    ['<agent_name>web 01</agent_name>', 'letters, digits'],
    ['<agent_role>server</agent_role>', 'agent, manager'],
    ['<alerts_file>alerts.json</alerts_file>', 'an absolute path'],
    ['<repeated_offenders_forget>5m</repeated_offenders_forget>', '10m to 365d'],
  ])('out of bounds are refused with their place: %s', (element, form) => {
    const found = refusal(`<ar-exec>\n  ${element}</ar-exec>`);
    expect(found.code).toBe('config-invalid');
    expect(found.message).toMatch(/^f\.conf:2:\d+: <\w+> is "/);
    expect(found.hint).toContain(form);
  });

  it.each([
    ['<never_disable>alice, -q</never_disable>', 'not the name of an account or a group'],
    ['<never_disable>@</never_disable>', 'not the name of an account or a group'],
    ['<never_block>gateway.example.org</never_block>', 'which is not an address or a prefix'],
    ['<never_block>192.168.</never_block>', 'which is not an address or a prefix'],
    ['<never_block>127.1</never_block>', 'which is not an address or a prefix'],
    ['<never_block>10.0.0.0/33</never_block>', 'which is not an address or a prefix'],
    ['<driver>nftables</driver>', '<driver> names no response'],
    ['<driver response="firewall-drop"> </driver>', '<driver> names no driver'],
    ['<driver response="firewal-drop">nftables</driver>', 'Did you mean "firewall-drop"?'],
    ['<driver response="firewall-drop">nftable</driver>', 'Did you mean "nftables"?'],
    ['<driver response="host‐deny">hosts-deny</driver>', 'Did you mean "host-deny"?'],
    ['<on_stop><keep/></on_stop>', '<on_stop> holds <keep>, where only text belongs'],
    ['# off: <on_stop>revert</on_stop>', 'text outside of a setting: "# off:"'],
    ['<limits>256</limits>', '<limits> holds text outside of a setting: "256"'],
  ])('that make no sense are refused: %s', (element, message) => {
    expect(refusal(`<ar-exec>${element}</ar-exec>`).message).toContain(message);
  });
});

describe('warnings', () => {
  it('tell of an unknown element, and which one may be meant', () => {
    const { warnings } = readOurs(
      '<never-block>192.0.2.1</never-block>\n<limits><conections>1</conections><on_stop/></limits>\n<connections>4</connections>\n<colour/>',
    );
    expect(warnings).toEqual([
      'f.conf:2:1: <never-block> is not a setting: it is not taken. Did you mean "never_block"?',
      'f.conf:3:9: <conections> is not a setting: it is not taken. Did you mean "limits/connections"?',
      'f.conf:3:35: <on_stop> is not taken here: it belongs into <ar-exec>',
      'f.conf:4:1: <connections> is not taken here: it belongs into <limits>',
      'f.conf:5:1: <colour> is not a setting: it is not taken.',
    ]);
  });

  it('tell of a setting that is given twice', () => {
    const { config, warnings } = readOurs(
      '<on_stop>keep</on_stop>\n<on_stop>revert</on_stop>\n<driver response="host-deny">hosts-deny</driver>\n<driver response="host-deny">hosts-deny</driver>',
    );
    expect(config.onStop).toBe('revert');
    expect(warnings).toEqual([
      'f.conf:3:1: <on_stop> is given on line 2 already: this one counts',
      'f.conf:5:1: the drivers of "host-deny" are named above already: these count',
    ]);
  });

  it("are not given for what is the manager's", () => {
    const file =
      '<ossec_config><ruleset><never_block>x</never_block></ruleset> text <a/></ossec_config>';
    expect(read(file).warnings).toEqual([]);
  });

  it('tell of text outside of the roots', () => {
    expect(read('<ossec_config/>\nfile: new <ossec_config/>').warnings).toEqual([
      'f.conf:2:1: "file: new" stands outside of every element: it is not taken',
    ]);
  });

  it('tell that # starts no comment', () => {
    const file =
      '<ossec_config>\n  <global/> # <global><white_list>192.0.2.1</white_list></global>\n</ossec_config>';
    const { config, warnings } = read(file);
    expect(texts(config.neverBlock)).toEqual(['192.0.2.1']);
    expect(warnings).toEqual([
      expect.stringMatching(/^f\.conf:2:13: "#" does not start a comment/),
    ]);
  });
});

describe("the manager's part", () => {
  it('gives its white list, as far as that is addresses', () => {
    const entries = [
      '127.0.0.1',
      '^localhost.localdomain$',
      '10.1.0.0/16',
      '192.168.',
      '10.0.0.0/255.0.0.0',
      'db.example.org',
    ];
    const lines = entries.map((entry) => `<white_list>${entry}</white_list>`).join('\n');
    const { config, warnings } = read(`<ossec_config><global>\n${lines}\n</global></ossec_config>`);
    expect(texts(config.neverBlock)).toEqual(['127.0.0.1', '10.1.0.0/16']);
    expect(warnings).toEqual([
      'f.conf:5:1: the white_list entry "192.168." is not taken as never_block: write it as a prefix, 192.168.0.0/16',
      'f.conf:6:1: the white_list entry "10.0.0.0/255.0.0.0" is not taken as never_block: write its mask as a length, like /24',
      'f.conf:7:1: the white_list entry "db.example.org" is not taken as never_block: it is not an address, and names are not looked up',
    ]);
  });

  it('gives the managers, as written', () => {
    const { config, warnings } = read(`<ossec_config><client>
      <server-ip>192.0.2.5</server-ip> <server-hostname>old.example.org</server-hostname>
      <server><address>2001:db8::5</address></server>
      <server><address>192.0.2.5</address></server>
      <server><address>MANAGER_IP</address></server>
      <server><address>a;b</address></server>
    </client></ossec_config>`);
    expect([...config.managers].sort()).toEqual(['192.0.2.5', '2001:db8::5', 'old.example.org']);
    expect(warnings).toEqual([
      'f.conf:5:15: "MANAGER_IP" stands for the manager\'s address: it is not taken',
      'f.conf:6:15: "a;b" is neither an address nor a host name',
    ]);
  });
});

describe('the format', () => {
  it('takes what the parser of the managers takes', () => {
    const root = readXml(
      '<!-- a -- b -----><a>x && y &amp; z &AMP; &#X41; &#65; <!-- <b> --></a>\r\n<q>\\<Query Path="&">\\</Query></q><c d="1 & 2">[[]]></c><e><![CDATA[<&>]]></e>',
      'f',
    );
    expect(root.children.map((it) => it.text)).toEqual([
      'x && y & z &AMP; &#X41; A',
      '<Query Path="&"></Query>',
      '[[]]>',
      '<&>',
    ]);
    expect(root.children.map(({ line, column }) => [line, column])).toEqual([
      [1, 19],
      [2, 1],
      [2, 34],
      [2, 56],
    ]);
    expect(root.children[2]?.attributes).toEqual({ d: '1 & 2' });
  });

  it('takes an XML declaration', () => {
    expect(read('<?xml version="1.0" encoding="UTF-8"?>\n<ar-exec/>').warnings).toEqual([]);
  });

  it.each([
    [
      '<a>\n  <active\u2010response>\n  </active\u2010response></a>',
      'f.conf:2:3: "active\u2010response" is written with a typographic hyphen',
      '<active-response>',
    ],
    ['<a></a\u2013b>', 'f.conf:1:4: "/a\u2013b" is written with a typographic hyphen', '</a-b>'],
    [
      '<active-response>\n  <level>7</level>\n<active-response>\n',
      'f.conf:3:1: <active-response> is opened again here, inside the <active-response> of line 1, and not closed',
      'If it was meant to close it, write "</active-response>".',
    ],
    [
      '<ar>\n<location>local<location>\n<level>7</level></ar>',
      'f.conf:2:16: <location> is opened again here, inside the <location> of line 2',
      '"</location>"',
    ],
    ['<a>\n<b>\n</a>', 'f.conf:2:1: </a> comes on line 3 before <b> is closed', '"</b>"'],
    ['<a>\n<b></b>', 'f.conf:1:1: the file ends on line 2 before <a> is closed', '"</a>"'],
    ['<a/>\n</b>', 'f.conf:2:4: unmatched closing tag: b', 'Mend'],
    ['<a> # if x < 3 </a>', 'f.conf:1:13: disallowed character in tag name', '<!-- ... -->'],
    ['<a>1 < 2</a>', 'f.conf:1:7: disallowed character in tag name', '&lt;'],
    ['<a>&#0;</a>', 'f.conf:1:7: malformed character entity', 'Mend'],
    ['<a>\n <!-- x </a>', 'f.conf:2:2: the comment that starts here does not end', '-->'],
    ['never_block: 192.0.2.1', 'f.conf:1:1: there is text but no element', 'Check'],
    ['<?xml version="1.0"', 'f.conf:1:6: an XML declaration must be', 'Mend'],
    ['<a>\u0000</a>', 'f.conf:1:4: disallowed character', 'Mend'],
    ['<a b></a>', 'attribute without value', 'Mend'],
    ['<a', 'unexpected end', 'Mend'],
    [
      '<a>'.repeat(33) + '</a>'.repeat(33),
      'f.conf:1:97: <a> stands more than 32 elements deep',
      '',
    ],
    [`<a>${'x'.repeat(1024 * 1024)}</a>`, 'f.conf is longer than 1048576 bytes', ''],
  ])('tells what is broken, where, and the mend: %#', (text, message, hint) => {
    const found = refusal(text);
    expect(found.code).toBe('config-invalid');
    expect(found.message).toContain(message);
    expect(found.hint).toContain(hint);
  });

  it('takes 32 elements deep', () => {
    expect(() => read('<a>'.repeat(32) + '</a>'.repeat(32))).not.toThrow();
  });

  it.each(['<!\uD800', '<![x\uD800', '<a>\uD800'])('does not take %j', (text) => {
    expect(() => read(text)).toThrow(ArError);
  });

  it('throws nothing but its own error, whatever it is given', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom(
        '<ar-exec>',
        '</ar-exec>',
        '<never_block>',
        '</never_block>',
        '<limits>',
        '</limits>',
        '<driver response="',
        '">',
        '<!--',
        '-->',
        '<![CDATA[',
        ']]>',
        '&',
        '\\<',
        '#',
        '<!DOCTYPE a [',
        '<?',
        '?>',
        '192.0.2.1',
        ',',
        '\n',
        '\r',
        '\uE001',
        '\uD800',
        '__proto__',
        '<constructor>',
      ),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        try {
          read(pieces.join(''));
        } catch (error) {
          expect(error).toBeInstanceOf(ArError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    '<!--',
    '<?',
    '<![CDATA[',
    '<![CDATA[x]]>',
    '&',
    '&#1',
    '\\<',
    '<',
    ']]>',
    '\n',
    '<a>',
    '<a/>',
    '<a\u2010>',
    '<a/>x',
    '<never_block>192.0.2.1</never_block>',
    '<on_stop>keep</on_stop>',
    '<driver response="host-deny">hosts-deny</driver>',
    '</ar-exec><command><name>a</name><executable>b</executable></command><ar-exec>',
    '</ar-exec><active-response><command>c</command></active-response><ar-exec>',
  ])('is read in reasonable time however often %j comes', (piece) => {
    const before = process.cpuUsage();
    expect(() => {
      try {
        read(`<ar-exec>${' '.repeat(100_000)}${piece.repeat(900_000 / piece.length)}</ar-exec>`);
      } catch (error) {
        if (!(error instanceof ArError)) throw error;
      }
    }).not.toThrow();
    // Of this process's own time, whatever else the machine does.
    expect(process.cpuUsage(before).user).toBeLessThan(3_000_000);
  });
});

describe('loadConfig', () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ar-exec-config-'));
    file = join(folder, 'a.conf');
    await writeFile(file, '<ar-exec><on_stop>revert</on_stop></ar-exec>', { mode: 0o644 });
  });
  afterEach(() => rm(folder, { recursive: true }));
  const load = (name = file) => loadConfig({ file: name, known });

  describe('where access is by lists', () => {
    const guarded = (open: readonly string[]) => {
      const asked: string[] = [];
      const whyOpen = (path: string, kind: 'file' | 'folder') => {
        asked.push(`${kind} ${path}`);
        return open.includes(path) ? 'can be changed by S-1-5-32-545 (rights 0x2)' : undefined;
      };
      return { asked, loaded: loadConfig({ file, known, whyOpen }) };
    };

    it('asks of the file and of the folder that it lies in', async () => {
      const { asked, loaded } = guarded([]);
      expect((await loaded).config.onStop).toBe('revert');
      expect(asked.slice(0, 2)).toEqual([`file ${file}`, `folder ${folder}`]);
    });

    it('refuses a file, or one in a folder, that others can change', async () => {
      for (const path of [file, folder]) {
        await expect(guarded([path]).loaded).rejects.toMatchObject({
          code: 'config-invalid',
          message: `${path} can be changed by S-1-5-32-545 (rights 0x2)`,
          hint: expect.stringContaining('icacls'),
        });
      }
    });

    it('does not take a file of a manager that others can change, and says so', async () => {
      const theirs = join(folder, 'ossec.conf');
      await writeFile(theirs, '<ossec_config></ossec_config>');
      const text = `<ar-exec><manager_config>${theirs}</manager_config></ar-exec>`;
      await writeFile(file, text, { mode: 0o644 });
      const { warnings } = await guarded([theirs]).loaded;
      expect(warnings).toEqual([
        expect.stringMatching(/^the manager's configuration is not taken: .*S-1-5-32-545/),
      ]);
    });
  });

  it("loads a whole agent's file of a manager without a warning", async () => {
    const { config, warnings } = readConfig(await readFile(fixture, 'utf8'), fixture, known);
    expect(warnings).toEqual([]);
    expect(config.managers).toEqual(['wazuh.example.org', '192.0.2.10']);
    expect(texts(config.neverBlock)).toEqual(['198.51.100.0/24', '2001:db8:7::/48', '203.0.113.9']);
    expect(config.drivers.get('firewall-drop')).toEqual(['nftables', 'iptables']);
    expect(config.onStop).toBe('keep');
    expect(config.limits.activeActions).toBe(20_000);
    expect(config.reconcileEverySeconds).toBe(120);
  });

  it('reads a file that it trusts', async () => {
    expect(await load()).toMatchObject({ file, warnings: [], config: { onStop: 'revert' } });
  });

  it.skipIf(existsSync(defaultPaths().configFile))('needs no default file', async () => {
    const { config, ...rest } = await loadConfig({ known });
    expect(config.onStop).toBe('keep');
    expect(rest).toEqual({ warnings: [] });
  });

  it('refuses a named file that is absent, no file or too long', async () => {
    await expect(load(join(folder, 'b.conf'))).rejects.toThrow(/b\.conf does not exist/);
    await expect(load(folder)).rejects.toThrow(/is not a regular file/);
    await truncate(file, 1024 * 1024 + 1);
    await expect(load()).rejects.toThrow(/is longer than 1048576 bytes/);
  });

  it('refuses what everybody can write, and warns of a group', async () => {
    await chmod(file, 0o660);
    expect((await load()).warnings).toEqual([
      expect.stringContaining('a.conf can be written by the group'),
    ]);
    await chmod(file, 0o646);
    await expect(load()).rejects.toMatchObject({
      code: 'config-invalid',
      hint: `Run: chmod o-w ${file}`,
    });
    await chmod(file, 0o644);
    await chmod(folder, 0o777);
    await expect(load()).rejects.toThrow(/can be written by everybody/);
    await chmod(folder, 0o1777);
    expect((await load()).warnings).toEqual([]);
  });

  it('looks at the folder of a link and at the one that it leads to', async () => {
    const other = await mkdtemp(join(tmpdir(), 'ar-exec-config-'));
    const link = join(other, 'link.conf');
    await symlink(file, link);
    await chmod(folder, 0o770);
    await chmod(other, 0o770);
    const { warnings } = await load(link);
    await rm(other, { recursive: true });
    expect(warnings).toEqual([
      expect.stringContaining(`${other} can be written`),
      expect.stringContaining(`${folder} can be written`),
    ]);
  });

  it.runIf(process.getuid?.() === 0)('refuses the file of another user', async () => {
    await chown(file, 12_345, 0);
    await expect(load()).rejects.toThrow(/belongs to the user 12345/);
    await chown(file, 0, 0);
    await chown(folder, 12_345, 0);
    expect((await load()).warnings).toEqual([
      expect.stringContaining('user 12345, who can replace'),
    ]);
  });
});

describe("the manager's file", () => {
  let folder: string;
  let own: string;
  let managers: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ar-exec-config-'));
    own = join(folder, 'own.conf');
    managers = join(folder, 'etc/ossec.conf');
    await mkdir(join(folder, 'etc'));
    await write(`<manager_home>${folder}</manager_home>`);
  });
  afterEach(() => rm(folder, { recursive: true }));
  const write = (settings: string) => writeFile(own, `<ar-exec>${settings}</ar-exec>`);
  const command = '<command><name>a</name><executable>x</executable></command>';
  const load = async () => {
    const { config, warnings } = await loadConfig({ file: own, known });
    return { names: config.commands.map(({ name }) => name), warnings };
  };

  it('is read where it is, below the home of the manager', async () => {
    expect(await load()).toEqual({ names: [], warnings: [] });
    // As it is installed: a group of the manager can write it and its folder.
    await writeFile(managers, `<ossec_config>${command}</ossec_config>`);
    await chmod(managers, 0o660);
    await chmod(join(folder, 'etc'), 0o770);
    expect(await load()).toEqual({ names: ['a'], warnings: [] });
  });

  it('is not read if none is wanted, or another one', async () => {
    await writeFile(managers, command);
    await write(`<manager_home>${folder}</manager_home><manager_config>none</manager_config>`);
    expect(await load()).toEqual({ names: [], warnings: [] });
    await write(`<manager_config>${managers}</manager_config>`);
    expect(await load()).toEqual({ names: ['a'], warnings: [] });
    await write(`<manager_config>${folder}/absent</manager_config>`);
    expect(await load()).toEqual({
      names: [],
      warnings: [
        expect.stringMatching(/^the manager's configuration is not taken: .*absent does not exist/),
      ],
    });
  });

  it('is not read twice if it is the own one', async () => {
    await writeFile(
      managers,
      `${command}<ar-exec><manager_home>${folder}</manager_home></ar-exec>`,
    );
    const { config, warnings } = await loadConfig({ file: managers, known });
    expect(config.commands).toHaveLength(1);
    expect(warnings).toEqual([]);
  });

  it('does no harm where it is broken, or could have been written by anybody', async () => {
    await writeFile(managers, `<ossec_config>\n<active\u2010response/>`);
    expect(await load()).toEqual({
      names: [],
      warnings: [
        `the manager's configuration is not taken: ${managers}:2:1: "active\u2010response/" is written with a typographic hyphen. Write it with the plain one: <active-response/>.`,
      ],
    });
    await writeFile(managers, command);
    await chmod(managers, 0o666);
    expect(await load()).toEqual({
      names: [],
      warnings: [expect.stringContaining('can be written by everybody')],
    });
  });
});

describe('defaultPaths', () => {
  it('uses the log folder of a manager where there is one', () => {
    expect(defaultPaths('linux', () => true).activeResponsesLog).toBe(
      '/var/ossec/logs/active-responses.log',
    );
    expect(defaultPaths('linux', () => false)).toEqual({
      configFile: '/etc/ar-exec/ar-exec.conf',
      stateFolder: '/var/lib/ar-exec',
      socket: '/run/ar-exec/ar-exec.sock',
      activeResponsesLog: '/var/log/ar-exec/active-responses.log',
      scriptsFolder: '/etc/ar-exec/responses',
    });
    expect(defaultPaths('linux', () => true).scriptsFolder).toBe('/var/ossec/active-response/bin');
  });

  it('says so where there are none', () => {
    expect(() => defaultPaths('plan9')).toThrow(ArError);
  });
});
