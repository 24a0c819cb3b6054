/** The registry of the simulated Windows, as far as the firewall has something in it. */
import type { Parts } from './simulator.ts';

/** Name → type and data, as reg.exe prints them. */
export type Values = Record<string, [type: 'REG_SZ' | 'REG_DWORD', data: string]>;
/** Path from `HKEY_LOCAL_MACHINE` on → values. */
export type Registry = Record<string, Values>;

export const firewall =
  'HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\SharedAccess\\Parameters\\FirewallPolicy';
export const rulesKey = `${firewall}\\FirewallRules`;
export const policies = 'HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\WindowsFirewall';
export const profiles = ['DomainProfile', 'StandardProfile', 'PublicProfile'] as const;

export function registryOf(parts: Parts): Registry {
  parts['registry'] ??= fresh();
  return parts['registry'] as Registry;
}

/** What Windows comes with, shortened: some rules, and keys beside theirs. */
function fresh(): Registry {
  const profile = (): Values => ({
    EnableFirewall: ['REG_DWORD', '0x1'],
    DisableNotifications: ['REG_DWORD', '0x0'],
  });
  return {
    'HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft': {},
    [firewall]: { PolicyVersion: ['REG_DWORD', '0x21f'] },
    [`${firewall}\\DomainProfile`]: profile(),
    [rulesKey]: defaultRules(),
    [`${firewall}\\PublicProfile`]: profile(),
    [`${firewall}\\RestrictedServices\\Static\\System`]: {
      'WSearch-1': [
        'REG_SZ',
        'v2.0|Action=Block|Dir=In|App=%systemroot%\\system32\\svchost.exe|Svc=wsearch|Name=Block any traffic to WSearch|',
      ],
    },
    [`${firewall}\\StandardProfile`]: profile(),
  };
}

/** After `netsh advfirewall reset` there are no others. */
export function defaultRules(): Values {
  return {
    'CoreNet-ICMP6-DU-In': [
      'REG_SZ',
      'v2.33|Action=Allow|Active=TRUE|Dir=In|Protocol=58|ICMP6=1:*|App=System|Name=@FirewallAPI.dll,-25110|Desc=@FirewallAPI.dll,-25112|EmbedCtxt=@FirewallAPI.dll,-25000|Edge=TRUE|',
    ],
    'RemoteAssistance-SSDPSrv-In-TCP-Active': [
      'REG_SZ',
      'v2.33|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Domain|Profile=Private|LPort=2869|RA4=LocalSubnet|RA6=LocalSubnet|App=System|Name=@FirewallAPI.dll,-33027|Desc=@FirewallAPI.dll,-33030|EmbedCtxt=@FirewallAPI.dll,-33002|',
    ],
  };
}

/** The full name of a path that reg.exe takes; undefined for what it does not know. */
export function expand(path: string): string | undefined {
  const [hive = '', ...rest] = path.split('\\');
  const full = { HKLM: 'HKEY_LOCAL_MACHINE', HKU: 'HKEY_USERS' }[hive.toUpperCase()] ?? hive;
  return /^HKEY_(LOCAL_MACHINE|USERS)$/i.test(full) ? [full, ...rest].join('\\') : undefined;
}
