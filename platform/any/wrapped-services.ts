/** Which services on this machine read hosts.deny and hosts.allow: those that are built with libwrap. */
import type { Finding, Question } from '../driver.ts';
import type { Step, StepResult } from '../step.ts';

interface Service {
  readonly name: string;
  /** Programs that it consists of; those that are not there do not count. */
  readonly programs: readonly string[];
}

/** From OpenSSH 9.8 on a connection is handled by sshd-session, in a folder that distributions choose. */
const services: readonly Service[] = [
  {
    name: 'sshd',
    programs: [
      '/usr/sbin/sshd',
      '/usr/bin/sshd',
      '/usr/lib/openssh/sshd-session',
      '/usr/libexec/openssh/sshd-session',
      '/usr/libexec/sshd-session',
      '/usr/lib/ssh/sshd-session',
    ],
  },
  { name: 'vsftpd', programs: ['/usr/sbin/vsftpd'] },
  { name: 'xinetd', programs: ['/usr/sbin/xinetd'] },
  { name: 'inetd', programs: ['/usr/sbin/inetd'] },
  { name: 'tcpd', programs: ['/usr/sbin/tcpd'] },
  { name: 'stunnel', programs: ['/usr/bin/stunnel', '/usr/bin/stunnel4'] },
  { name: 'rpcbind', programs: ['/usr/sbin/rpcbind', '/sbin/rpcbind'] },
  { name: 'slapd', programs: ['/usr/sbin/slapd'] },
  { name: 'snmpd', programs: ['/usr/sbin/snmpd'] },
];

const programs = services.flatMap((service) => service.programs);

type File = 'hosts.deny' | 'hosts.allow';

/** `path` is the file that the driver edits. */
export function wrappedServices(file: File, path: string): Question<readonly Finding[]> {
  const asked = programs.map(
    // A libwrap that is part of the program leaves its file's name in it.
    (program): Step => ({ kind: 'read-program', path: program, words: [`/etc/${file}`] }),
  );
  // What stands at the top of hosts.allow wins.
  if (file === 'hosts.allow') {
    return { steps: asked, read: (results) => readServices(file, results) };
  }
  const allow = path.replace(/hosts\.deny$/, 'hosts.allow');
  return {
    steps: [...asked, { kind: 'read-file', path: allow }],
    read: (results) => [
      ...readServices(file, results.slice(0, programs.length)),
      ...readAllow(allow, results[programs.length]),
    ],
  };
}

type Answer = 'absent' | 'reads' | 'ignores' | 'unknown';

function readServices(file: File, results: readonly StepResult[]): Finding[] {
  const { reads, sshdIgnores, nobodyReads } = findings[file];
  const answers = new Map(programs.map((program, index) => [program, readOne(results[index])]));
  const of = (wanted: Answer) =>
    services.filter((service) => answerOf(service, answers) === wanted).map(({ name }) => name);
  const [reading, ignoring] = [of('reads'), of('ignores')];
  const nobody = reading.length === 0 && of('unknown').length === 0;
  return [
    ...(reading.length === 0 ? [] : [reads(reading)]),
    ...(ignoring.includes('sshd') ? [sshdIgnores] : []),
    ...(nobody && !ignoring.includes('sshd') ? [nobodyReads] : []),
  ];
}

/** A service reads the file when one of its programs does. */
function answerOf({ programs: own }: Service, answers: ReadonlyMap<string, Answer>): Answer {
  const said = own.map((program) => answers.get(program) ?? 'absent');
  const order: readonly Answer[] = ['reads', 'unknown', 'ignores'];
  return order.find((one) => said.includes(one)) ?? 'absent';
}

function readOne(result: StepResult | undefined): Answer {
  if (result === undefined || result.failure !== undefined) return 'unknown';
  if (result.stdout === '') return 'absent';
  const { needed, mentions } = JSON.parse(result.stdout) as {
    needed: readonly string[];
    mentions: readonly string[];
  };
  const wrapped = needed.some((library) => library.startsWith('libwrap.so')) || mentions.length > 0;
  return wrapped ? 'reads' : 'ignores';
}

/** A line that lets everybody in wins over hosts.deny; finer ones are somebody's decision. */
function readAllow(path: string, result: StepResult | undefined): Finding[] {
  const open = (result?.stdout ?? '')
    .split('\n')
    .some((line) => /^\s*ALL\s*:\s*ALL\s*(:\s*allow\s*)?$/i.test(line));
  return open ? [allowsEverybody(path)] : [];
}

interface Findings {
  reads(names: readonly string[]): Finding;
  readonly sshdIgnores: Finding;
  readonly nobodyReads: Finding;
}

const forSsh = {
  level: 'warning',
  why: 'host-deny keeps nobody away from SSH here, though it reports success.',
  remedy: 'Use firewall-drop for SSH.',
} as const;

const forAll = {
  level: 'warning',
  why: 'host-deny most likely has no effect, though it reports success.',
  remedy: 'Use firewall-drop instead.',
} as const;

const findings: Readonly<Record<File, Findings>> = {
  'hosts.deny': {
    reads: (names) => ({
      id: 'hosts-deny-read',
      level: 'ok',
      what: `hosts.deny is read by ${names.join(', ')}.`,
    }),
    sshdIgnores: {
      ...forSsh,
      id: 'hosts-deny-not-read-by-sshd',
      what: 'The sshd of this machine is built without libwrap: it does not read hosts.deny.',
    },
    nobodyReads: {
      ...forAll,
      id: 'hosts-deny-not-read',
      what: 'No service known to read hosts.deny is installed here.',
    },
  },
  'hosts.allow': {
    reads: (names) => ({
      id: 'hosts-allow-read',
      level: 'ok',
      what: `hosts.allow is read by ${names.join(', ')}.`,
    }),
    sshdIgnores: {
      ...forSsh,
      id: 'hosts-allow-not-read-by-sshd',
      what: 'The sshd of this machine is built without libwrap: it does not read hosts.allow.',
    },
    nobodyReads: {
      ...forAll,
      id: 'hosts-allow-not-read',
      what: 'No service known to read hosts.allow is installed here.',
    },
  },
};

function allowsEverybody(path: string): Finding {
  return {
    id: 'hosts-allow-everybody',
    level: 'warning',
    what: `${path} has a line "ALL: ALL".`,
    why: 'It wins over every line of hosts.deny: host-deny has no effect.',
    remedy: `Take the line out of ${path}, or name services in it.`,
  };
}
