/** What Docker makes of the packet filter of its host, around a namespace that stands for a container. */
import type { Hosts } from './hosts.ts';

/** Where the container's service is reached from outside: published as Docker does, and inside. */
export const published = { port: 8_080, inside: 7_007 } as const;
const container4 = '10.78.0.2';
const container6 = 'fd78::2';

export interface Docker {
  /** Makes Docker's chains and rules, and its jumps in front of all others, as a start of it does. */
  start(): Promise<void>;
}

/**
 * With iptables in one of its variants, the chains of Docker 28 and 29 for one network with one
 * published port (as `iptables-save` shows them on such a host, the bridge's name aside).
 */
export function dockerWithIptables(hosts: Hosts, bridge: string, variant: string): Docker {
  const family = (six: boolean) => {
    const tool = `${six ? 'ip6tables' : 'iptables'}-${variant}`;
    const to = six ? `[${container6}]:${published.inside}` : `${container4}:${published.inside}`;
    const dst = six ? container6 : container4;
    const restore = [
      '*nat',
      ':DOCKER - [0:0]',
      '-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER',
      `-A DOCKER ! -i ${bridge} -p tcp -m tcp --dport ${published.port} -j DNAT --to-destination ${to}`,
      'COMMIT',
      '*filter',
      ':INPUT ACCEPT [0:0]',
      ':FORWARD DROP [0:0]',
      ':DOCKER - [0:0]',
      ':DOCKER-BRIDGE - [0:0]',
      ':DOCKER-CT - [0:0]',
      ':DOCKER-FORWARD - [0:0]',
      ':DOCKER-USER - [0:0]',
      `-A DOCKER -d ${dst} ! -i ${bridge} -o ${bridge} -p tcp -m tcp --dport ${published.inside} -j ACCEPT`,
      `-A DOCKER ! -i ${bridge} -o ${bridge} -j DROP`,
      `-A DOCKER-BRIDGE -o ${bridge} -j DOCKER`,
      `-A DOCKER-CT -o ${bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
      '-A DOCKER-FORWARD -j DOCKER-CT',
      '-A DOCKER-FORWARD -j DOCKER-BRIDGE',
      `-A DOCKER-FORWARD -i ${bridge} -j ACCEPT`,
      'COMMIT',
      '',
    ].join('\n');
    return { tool, restore };
  };
  let isNew = true;
  return {
    start: async () => {
      for (const { tool, restore } of [family(false), family(true)]) {
        if (isNew) await hosts.exec([`${tool}-restore`, '--noflush'], restore);
        for (const chain of ['DOCKER-FORWARD', 'DOCKER-USER']) {
          if (!isNew) await hosts.exec([tool, '-D', 'FORWARD', '-j', chain]);
          await hosts.exec([tool, '-I', 'FORWARD', '-j', chain]);
        }
      }
      isNew = false;
    },
  };
}

/** With nftables, which Docker 29 can use: tables of its own, whose chains stand at the usual places. */
export function dockerWithNftables(hosts: Hosts, bridge: string): Docker {
  const table = (six: boolean) => {
    const [name, ip, dst] = six ? ['ip6', 'ip6', container6] : ['ip', 'ip', container4];
    const to = six ? `[${dst}]` : dst;
    return `
table ${name} docker-bridges {}
delete table ${name} docker-bridges
table ${name} docker-bridges {
  chain filter-FORWARD {
    type filter hook forward priority filter; policy drop;
    oifname ${bridge} ct state established,related accept
    iifname ${bridge} accept
    iifname != ${bridge} oifname ${bridge} ${ip} daddr ${dst} tcp dport ${published.inside} accept
  }
  chain nat-PREROUTING {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local tcp dport ${published.port} dnat to ${to}:${published.inside}
  }
}
`;
  };
  return {
    start: async () => {
      await hosts.exec(['nft', '-f', '-'], `${table(false)}${table(true)}`);
    },
  };
}
