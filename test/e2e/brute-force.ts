/** What a Wazuh 4.x manager sends for an alert of its sshd brute force rule, full alert and all. */
export interface BruteForceOptions {
  readonly srcip: string;
  readonly timeoutSeconds?: number;
  readonly response?: string;
}

/** The message, as one object; a manager sends it as one line. */
export function bruteForceMessage(options: BruteForceOptions): object {
  const { srcip, timeoutSeconds = 600, response = 'firewall-drop' } = options;
  return {
    version: 1,
    origin: { name: 'node01', module: 'wazuh-analysisd' },
    command: `${response}${timeoutSeconds}`,
    parameters: { extra_args: [], alert: alertOf(srcip, new Date()) },
  };
}

function alertOf(srcip: string, at: Date): object {
  const failures = [51_022, 51_018, 51_010, 51_004].map(
    (port) => `${syslog(at)} web-01 sshd[4242]: ${failure(srcip, port)}`,
  );
  return {
    timestamp: at.toISOString().replace('Z', '+0000'),
    rule: {
      level: 10,
      description: 'sshd: brute force trying to get access to the system. Authentication failed.',
      id: '5763',
      mitre: { id: ['T1110'], tactic: ['Credential Access'], technique: ['Brute Force'] },
      frequency: 8,
      firedtimes: 1,
      mail: false,
      groups: ['syslog', 'sshd', 'authentication_failures'],
      gdpr: ['IV_35.7.d', 'IV_32.2'],
      hipaa: ['164.312.b'],
      nist_800_53: ['SI.4', 'AU.14', 'AC.7'],
      pci_dss: ['11.4', '10.2.4', '10.2.5'],
      tsc: ['CC6.1', 'CC6.8', 'CC7.2', 'CC7.3'],
    },
    agent: { id: '001', name: 'web-01', ip: '10.77.0.1' },
    manager: { name: 'wazuh-manager' },
    id: `${Math.floor(at.getTime() / 1_000)}.1609869`,
    previous_output: failures.slice(1).join('\n'),
    full_log: failures[0],
    predecoder: { program_name: 'sshd', timestamp: syslog(at), hostname: 'web-01' },
    decoder: { parent: 'sshd', name: 'sshd' },
    // A manager's decoder of active-responses.log wants srcip first.
    data: { srcip, srcport: '51022', dstuser: 'root' },
    location: '/var/log/auth.log',
  };
}

function failure(srcip: string, port: number): string {
  return `Failed password for root from ${srcip} port ${port} ssh2`;
}

/** `Nov 21 14:19:16`. */
function syslog(at: Date): string {
  const [, month, day, time] = /(\w{3}) (\d\d) \d{4} (\S{8})/.exec(at.toString()) ?? [];
  return `${month} ${day} ${time}`;
}
