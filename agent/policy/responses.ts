/** A response that can be asked for by name, and the drivers that can carry it out. */
export interface ResponseDefinition {
  readonly name: string;
  /** In order of preference: the first that is usable on the machine is taken. */
  readonly drivers: readonly string[];
  /** What it does, for people. */
  readonly summary: string;
}

/** The built-in responses. docs/responses.md has a row for each; a test holds the two together. */
export const responses: readonly ResponseDefinition[] = [
  {
    name: 'firewall-drop',
    drivers: ['nftables', 'ipset', 'iptables'],
    summary: 'drops every packet that comes from the address, for this machine or through it',
  },
  {
    name: 'host-deny',
    drivers: ['hosts-deny'],
    summary: 'denies the address in hosts.deny, for services that use tcp wrappers',
  },
  {
    name: 'route-null',
    drivers: ['route-null'],
    summary: 'discards what this machine would send to the address; packets from it still arrive',
  },
];
