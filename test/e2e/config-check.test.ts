/** What a person is told of a configuration before an agent goes by it. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { createHome, type Home } from './agent.ts';

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
)('ar-exec config check', () => {
  let hosts: Hosts;
  let home: Home;
  let managers: string;

  beforeAll(async () => {
    hosts = await createHosts();
    home = await createHome(hosts.endpoint);
    managers = join(home.folder, 'manager/etc/ossec.conf');
    await mkdir(join(home.folder, 'manager/etc'), { recursive: true });
    const own = (await readFile(home.config, 'utf8')).replace(
      '</ar-exec>',
      `<manager_home>${home.folder}/manager</manager_home>
      <notification name="tell-us" kind="slack"><url>https://hooks.example.org/hush</url></notification>
      </ar-exec>`,
    );
    await writeFile(
      home.config,
      `${own}
<active-response>
  <command>host-deny</command><location>local</location><level>7</level><timeout>600</timeout>
  <repeated_offenders>30,60</repeated_offenders>
</active-response>
<active-response>
  <command>firewall-block</command><location>all</location><level>9</level><timeout>700</timeout>
</active-response>`,
    );
    await chmod(home.config, 0o600);
    const command = (name: string, executable: string, more = '') =>
      `<command><name>${name}</name><executable>${executable}</executable><expect>srcip</expect>${more}</command>`;
    const timed = '<timeout_allowed>yes</timeout_allowed>';
    await writeFile(
      managers,
      `<ossec_config>
${command('host-deny', 'host-deny.sh', timed)}
${command('win_route-null', 'route-null.cmd', timed)}
${command('firewall-drop', 'firewall-drop.sh')}
<active-response><command>win_route-null</command><location>local</location><level>8</level></active-response>
</ossec_config>`,
    );
  });
  afterAll(async () => {
    await home?.remove();
    await hosts?.close();
  });

  test('says in sentences what will be done here, and what will not', async () => {
    const { status, stdout, stderr } = await home.run(['config', 'check']);
    expect(status).toBe(0);
    const lines = stdout.split('\n');
    expect(lines.slice(0, 2)).toEqual([home.config, `The manager's part of ${managers}.`]);
    const from = lines.indexOf('What managers can ask for:');
    expect(lines.slice(from, from + 9)).toEqual([
      'What managers can ask for:',
      '  host-deny: denies the address in hosts.deny, for services that use tcp wrappers (response host-deny, driver hosts-deny).',
      '  win_route-null: route-null.cmd is not present on this system: ignored.',
      '  firewall-drop: drops every packet that comes from the address, for this machine or through it (response firewall-drop, driver nftables), until it is deleted: it allows no timeout.',
      '',
      'What alerts set off:',
      '  host-deny on alerts of level 7 or more raised by this agent that carry a source address: denies the address in hosts.deny, for services that use tcp wrappers (response host-deny, driver hosts-deny), for 10m; the second offence 30m; the third and every later offence 1h.',
      '  win_route-null on alerts of level 8 or more: route-null.cmd is not present on this system: ignored.',
      '',
    ]);
    expect(stderr.split('\n')).toEqual([
      `ar-exec: ${home.config}:15:3: this active response is not taken: no <command> has the name "firewall-block". Did you mean "firewall-drop"?`,
      `ar-exec: ${home.config}:15:76: the command "firewall-drop", if that is meant, does not allow a timeout: write <timeout_allowed>yes</timeout_allowed> into its <command>`,
    ]);
  });

  test('says the same as JSON, and no secret', async () => {
    const { status, stdout } = await home.run(['config', 'check', '--json']);
    expect(status).toBe(0);
    const reply = JSON.parse(stdout);
    expect(reply).toMatchObject({
      ok: true,
      file: home.config,
      managerFile: managers,
      warnings: [expect.stringContaining('firewall-block'), expect.stringContaining('timeout')],
      explanation: {
        commands: [
          { command: 'host-deny', kind: 'response', drivers: ['hosts-deny'] },
          { command: 'win_route-null', kind: 'absent' },
          { command: 'firewall-drop', kind: 'response', drivers: ['nftables'] },
        ],
        activeResponses: [
          { command: 'host-deny', runs: true },
          { command: 'win_route-null', runs: false },
        ],
      },
      config: { notifications: [{ name: 'tell-us', kind: 'slack', secrets: ['url'] }] },
    });
    expect(stdout).not.toContain('hush');
  });
});
