/**
 * What Wazuh's own executables do, recorded from version 4.14.7 on Linux: one run each, as facts about
 * the input, what changed on the machine, and the lines in active-responses.log. From 5.0, which has
 * other names and another message, the runs whose effect can be compared.
 */

/** What stands on a machine, as far as these responses go. */
export interface Standing {
  /** Addresses whose packets are dropped; one that is dropped by two rules stands twice. */
  readonly dropped?: readonly string[];
  /** hosts.deny, line by line. */
  readonly hostsDeny?: readonly string[];
  /** Accounts that a password opens no more; the machine has `arok`, whom one opens. */
  readonly locked?: readonly string[];
  /** Accounts that have expired. */
  readonly expired?: readonly string[];
}

/**
 * A line of the log: `received` is the message, `keys` what the executable says it is about, `continue`
 * and `abort` the answer to that; other text stands for itself, with `…` at its end for more.
 */
type LogLine =
  | 'Starting'
  | 'received'
  | 'keys'
  | 'continue'
  | 'abort'
  | 'Ended'
  | 'Aborted'
  | string;

export interface RecordedCase {
  readonly name: string;
  readonly version: '4.14.7' | '5.0';
  readonly response: string;
  readonly verb: 'add' | 'delete';
  /** The `data` of the alert. */
  readonly data: object;
  /** Where the message itself is wrong: what was sent. */
  readonly line?: string;
  /** Sent with CR LF at its end. */
  readonly crlf?: true;
  /** Stood before, and was in the list of what is to be taken back (`live`) or not. */
  readonly before?: Standing;
  readonly live?: true;
  /** The machine lacks every tool that could do it. */
  readonly withoutTools?: true;
  readonly after: Standing;
  /** By its exit status. */
  readonly outcome: 'done' | 'refused';
  /** Absent for 5.0, whose message is not taken yet: asked natively, nothing is logged there. */
  readonly log?: readonly LogLine[];
  /** Where ar-exec does otherwise, on purpose; docs/compatibility.md has a row for each with its why. */
  readonly ours?: {
    readonly effect?: Standing;
    readonly outcome?: 'done' | 'refused';
    readonly log?: readonly LogLine[];
  };
}

/** Nothing was held that could end: who asked is told so, and nothing is logged. */
const notHeld = { outcome: 'refused', log: [] } as const;
const told = (why: string) => ({ log: ['Starting', why, 'Ended'] });

const carriedOut = ['Starting', 'received', 'keys', 'continue', 'Ended'];
const takenBack = ['Starting', 'received', 'Ended'];
const refusedWith = (why: string) => ['Starting', 'received', why];
const noAddress = "Cannot read 'srcip' from data or invalid IP format";

/** The alert that all of them have, but for its data. */
export const rule = { level: 5, description: 'Test.', id: '5715' } as const;

const message = (more: object) => ({
  version: 1,
  origin: { name: 'node01', module: 'wazuh-execd' },
  command: 'add',
  parameters: {
    extra_args: [],
    alert: { rule, data: { srcip: '203.0.113.7' } },
    program: 'active-response/bin/firewall-drop',
  },
  ...more,
});

const block = {
  version: '4.14.7',
  response: 'firewall-drop',
  verb: 'add',
  data: { srcip: '203.0.113.7' },
} as const;

const malformed = (name: string, line: string): RecordedCase => ({
  ...block,
  name,
  line,
  after: {},
  outcome: 'refused',
  log: refusedWith('Invalid input format'),
  ours: { log: [] },
});

const unusable = (name: string, data: object, why: string): RecordedCase => ({
  ...block,
  name,
  data,
  after: {},
  outcome: 'refused',
  log: refusedWith(noAddress),
  ours: told(why),
});

const disable = {
  version: '4.14.7',
  response: 'disable-account',
  verb: 'add',
  data: { dstuser: 'arok' },
} as const;

const blockIp = {
  version: '5.0',
  response: 'block-ip',
  verb: 'add',
  data: { srcip: '203.0.113.7' },
  outcome: 'done',
} as const;

export const cases: readonly RecordedCase[] = [
  {
    ...block,
    name: 'a block',
    after: { dropped: ['203.0.113.7'] },
    outcome: 'done',
    log: carriedOut,
  },
  {
    ...block,
    name: 'a block of an IPv6 address',
    data: { srcip: '2001:db8::1' },
    after: { dropped: ['2001:db8::1'] },
    outcome: 'done',
    log: carriedOut,
  },
  {
    ...block,
    name: 'a block again, without a timeout',
    before: { dropped: ['203.0.113.7'] },
    after: { dropped: ['203.0.113.7', '203.0.113.7'] },
    outcome: 'done',
    log: carriedOut,
    ours: { effect: { dropped: ['203.0.113.7'] } },
  },
  {
    ...block,
    name: 'a block again, with a timeout',
    data: { srcip: '203.0.113.8' },
    before: { dropped: ['203.0.113.8'] },
    live: true,
    after: { dropped: ['203.0.113.8'] },
    outcome: 'done',
    log: ['Starting', 'received', 'keys', 'abort', 'Aborted'],
    ours: { log: carriedOut },
  },
  {
    ...block,
    name: 'the end of a block that was asked for twice',
    verb: 'delete',
    before: { dropped: ['203.0.113.7', '203.0.113.7'] },
    after: { dropped: ['203.0.113.7'] },
    outcome: 'done',
    log: takenBack,
    ours: { effect: {} },
  },
  {
    ...block,
    name: 'the end of a block that is not there',
    verb: 'delete',
    data: { srcip: '203.0.113.99' },
    after: {},
    outcome: 'done',
    log: takenBack,
    ours: notHeld,
  },
  {
    ...block,
    name: 'the end of a line in hosts.deny, where longer ones begin like it',
    response: 'host-deny',
    verb: 'delete',
    data: { srcip: '10.0.0.1' },
    before: { hostsDeny: ['ALL:10.0.0.10', 'sshd: 10.0.0.100'] },
    after: { hostsDeny: [] },
    outcome: 'done',
    log: takenBack,
    ours: { ...notHeld, effect: { hostsDeny: ['ALL:10.0.0.10', 'sshd: 10.0.0.100'] } },
  },
  malformed('a message that is not JSON', 'not json'),
  malformed('a message without version', JSON.stringify(message({ version: undefined }))),
  malformed('a message without origin', JSON.stringify(message({ origin: undefined }))),
  malformed('a message without parameters', JSON.stringify(message({ parameters: undefined }))),
  unusable(
    'an alert without an address',
    {},
    'firewall-drop needs an address and the request has none',
  ),
  unusable(
    'a prefix in an alert',
    { srcip: '203.0.113.0/24' },
    '"203.0.113.0/24" is not a single address',
  ),
  unusable(
    'an address with a command behind it',
    { srcip: '1.2.3.4;id' },
    '"1.2.3.4;id" is not an address',
  ),
  {
    ...block,
    name: "an address in Windows' own place",
    data: { win: { eventdata: { ipAddress: '198.51.100.1' } } },
    after: { dropped: ['198.51.100.1'] },
    outcome: 'done',
    log: carriedOut,
  },
  {
    ...block,
    name: 'a line that ends with CR LF',
    crlf: true,
    after: { dropped: ['203.0.113.7'] },
    outcome: 'done',
    log: carriedOut,
  },
  {
    ...block,
    name: 'a machine without a firewall tool',
    withoutTools: true,
    after: {},
    outcome: 'done',
    log: [
      ...carriedOut.slice(0, -1),
      "The iptables file 'iptables' is not accessible: No such file or directory (2)",
    ],
    ours: {
      outcome: 'refused',
      ...told('nothing on this machine can carry out firewall-drop for 203.0.113.7: …'),
    },
  },
  {
    ...disable,
    name: 'an account',
    after: { locked: ['arok'] },
    outcome: 'done',
    log: carriedOut,
    ours: { effect: { locked: ['arok'], expired: ['arok'] } },
  },
  {
    ...disable,
    name: 'the account root',
    data: { dstuser: 'root' },
    after: {},
    outcome: 'refused',
    log: refusedWith("Cannot read 'dstuser' from data or invalid username format"),
    ours: told('root is root (number 0), which is never disabled'),
  },
  {
    ...disable,
    name: 'the end of a disabled account',
    verb: 'delete',
    before: { locked: ['arok'] },
    after: {},
    outcome: 'done',
    log: takenBack,
  },
  { ...blockIp, name: 'a block by block-ip', after: { dropped: ['203.0.113.7'] } },
  {
    ...blockIp,
    name: 'a block by block-ip again',
    data: { srcip: '203.0.113.8' },
    before: { dropped: ['203.0.113.8'] },
    live: true,
    after: { dropped: ['203.0.113.8'] },
  },
  {
    ...blockIp,
    name: 'the end of a block by block-ip that was asked for twice',
    verb: 'delete',
    before: { dropped: ['203.0.113.7', '203.0.113.7'] },
    after: { dropped: ['203.0.113.7'] },
    ours: { effect: {} },
  },
  { ...blockIp, name: 'block-ip without an address', data: {}, after: {}, outcome: 'refused' },
  {
    ...blockIp,
    name: 'an address that begins with a zero',
    data: { srcip: '010.0.0.1' },
    after: { dropped: ['8.0.0.1'] },
    ours: { effect: {}, outcome: 'refused' },
  },
  {
    ...blockIp,
    name: 'an account, in 5.0',
    response: 'disable-account',
    data: { dstuser: 'arok' },
    after: { locked: ['arok'] },
    ours: { effect: { locked: ['arok'], expired: ['arok'] } },
  },
];

/**
 * Runs that are about the conversation of execd with an executable on its standard input: they have no
 * counterpart as long as ar-exec is asked over its socket only, in the messages of 4.x.
 */
export const conversations: readonly string[] = [
  'both lines at once',
  'a bare {"command":"continue"} as the answer',
  'the end of the input instead of the answer',
  'text behind the object in the line',
  'a message of 5.0 without its member wazuh',
];
