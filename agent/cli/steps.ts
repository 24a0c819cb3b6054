import type {
  DbusCall,
  DbusStep,
  DbusValue,
  EndProcessStep,
  HttpRequestStep,
  PutBackFileStep,
  QuarantineStep,
  ScriptStep,
  SendMailStep,
  Step,
  TakeFileStep,
} from '../../platform/step.ts';
import { ArError } from '../errors.ts';
import { changeAccountText, endSessionsText, readAccountsText } from './account-steps.ts';
import { askAgent, type CommonFlags } from './agent.ts';
import { print, printJson, remark } from './output.ts';

interface PlanReply {
  readonly driver: string;
  readonly why: string;
  readonly steps: readonly (Step | ScriptStep)[];
}

/** `--dry-run`: the steps that the agent would take, or without one, that this machine would need. */
export async function showSteps(flags: CommonFlags, request: object): Promise<void> {
  const plan = await askOrPlan(flags, request);
  if (flags.json) printJson(plan);
  else {
    remark(`nothing is done. ${plan.why}`);
    for (const step of plan.steps) print(stepText(step));
  }
}

async function askOrPlan(flags: CommonFlags, request: object): Promise<PlanReply> {
  try {
    return await askAgent<PlanReply>(flags, request);
  } catch (error) {
    if (!(error instanceof ArError) || error.code !== 'agent-unreachable') throw error;
    const { planDirect } = await import('./direct.ts');
    remark('no agent answers: planned as if nothing were held');
    return (await planDirect(flags, request)) as PlanReply;
  }
}

/** A step as a line that can be pasted into a shell, for people; nothing here is ever run from it. */
export function stepText(step: Step | ScriptStep): string {
  switch (step.kind) {
    case 'command': {
      const line = [step.tool, ...step.args].map(quote).join(' ');
      return step.stdin === undefined ? line : `${line} <<'EOF'\n${step.stdin.trimEnd()}\nEOF`;
    }
    case 'edit-block':
      return [
        `# in ${step.path}, between "${step.block.begin}" and "${step.block.end}":`,
        ...step.add.map((line) => `+ ${line}`),
        ...step.remove.map((line) => `- ${line}`),
      ].join('\n');
    case 'script':
      return scriptText(step);
    case 'read-file':
    case 'read-program':
      return `# read ${step.path}`;
    case 'end-process':
      return endProcessText(step);
    case 'native-calls':
      return '# look whether the calls of Windows can be made';
    case 'read-gateways':
      return '# read the default gateways of the table of routes';
    case 'restart-service':
      return `net stop ${step.service} /y  # if it runs\nnet start ${step.service}`;
    case 'name-files':
      return [
        `# empty files in ${step.path}, mode 1444:`,
        ...step.add.map((name) => `+ ${name}`),
        ...step.remove.map((name) => `- ${name}`),
      ].join('\n');
    case 'dbus':
      return dbusText(step);
    case 'pf-reference':
      return step.hold
        ? `pfctl -E  # unless it is held already; the token goes into ${step.path}`
        : `pfctl -X "$(cat ${quote(step.path)})" && rm ${quote(step.path)}`;
    case 'list-folder':
      return `# list ${step.path}`;
    case 'check-executable':
      return `# look whether only root can change ${step.path}`;
    case 'read-accounts':
      return readAccountsText(step.system);
    case 'read-groups':
      return `# read the groups of ${step.user}`;
    case 'change-account':
      return changeAccountText(step, quote);
    case 'end-sessions':
      return endSessionsText(step);
    case 'http-request':
      return requestText(step);
    case 'send-mail':
      return mailText(step);
    case 'examine-file':
    case 'take-file':
    case 'put-back-file':
    case 'list-quarantine':
    case 'tidy-quarantine':
      return quarantineText(step);
  }
}

/** What kill cannot do stands in comments. */
function endProcessText(step: EndProcessStep): string {
  const { pid, executable, startedBefore, graceMs, family } = step;
  const start = startedBefore === undefined ? 'now' : new Date(startedBefore).toISOString();
  const condition = `# if process ${pid} runs ${executable} and has started before ${start}:`;
  if (step.system === 'win32') {
    return `${condition}\ntaskkill.exe /F${family ? ' /T' : ''} /PID ${pid}`;
  }
  return [
    condition,
    ...(graceMs > 0 ? [`kill -TERM ${pid}  # and after ${graceMs / 1_000} s:`] : []),
    `kill -KILL ${pid}${family ? '  # and what it has started' : ''}`,
  ].join('\n');
}

function scriptText({ cwd, program, words, line, handshake }: ScriptStep): string {
  const command = `(cd ${quote(cwd)} && ${[program, ...words].map(quote).join(' ')})`;
  const asked = {
    none: [],
    possible: ['# if it names keys, it is answered'],
    required: ['# it names its keys, and is answered'],
  };
  const text = line === undefined ? [command] : [`${command} <<'EOF'`, line, 'EOF'];
  return [...text, ...asked[handshake]].join('\n');
}

/** `mv` replaces what is in its way, and ar-exec does not; the comments say what else it looks at. */
function quarantineText(step: QuarantineStep): string {
  if (step.kind === 'take-file' || step.kind === 'put-back-file') {
    return step.system === 'win32' ? windowsMoveText(step) : moveText(step);
  }
  switch (step.kind) {
    case 'examine-file':
      return `# look at ${quote(step.path)}, and read it for its hash`;
    case 'list-quarantine':
      return `# list ${step.path}`;
    case 'tidy-quarantine':
      return `# remove what was begun in ${step.path} and never taken`;
  }
}

function conditionText(step: TakeFileStep | PutBackFileStep): string {
  return step.kind === 'take-file'
    ? `# if ${step.path} is still the file that was looked at${step.pinned ? ', with these bytes' : ''} (sha256 ${step.sha256}):`
    : `# if nothing stands at ${step.path}, and the file is as it was taken (sha256 ${step.sha256}):`;
}

function moveText(step: TakeFileStep | PutBackFileStep): string {
  const [place, kept] = [quote(step.path), quote(`${step.folder}/${step.name}.file`)];
  const lines =
    step.kind === 'take-file'
      ? [`mv -- ${place} ${kept}`, `chmod 0400 -- ${kept}`]
      : [`chmod ${step.state.mode} -- ${kept}`, `mv --no-clobber -- ${kept} ${place}`];
  return [conditionText(step), ...lines].join('\n');
}

/** For PowerShell. */
function windowsMoveText(step: TakeFileStep | PutBackFileStep): string {
  const word = (path: string): string => `'${path.replaceAll("'", "''")}'`;
  const [place, kept] = [word(step.path), word(`${step.folder}\\${step.name}.file`)];
  const lines =
    step.kind === 'take-file'
      ? [
          `Move-Item -LiteralPath ${place} ${kept}`,
          '# and only Windows and administrators may open it',
        ]
      : [
          `Move-Item -LiteralPath ${kept} ${place}`,
          '# with the owner and the access list that it had',
        ];
  return [conditionText(step), ...lines].join('\n');
}

/** As busctl(1) takes it. Of many calls the first few. */
function dbusText({ destination, path, interface: name, calls, first }: DbusStep): string {
  const line = ({ member, signature, args }: DbusCall): string => {
    const words = signature === '' ? [] : [signature, ...args.flatMap(busctlWords)];
    return ['busctl', 'call', destination, path, name, member, ...words].map(quote).join(' ');
  };
  const lines = calls.map(line);
  if (first === undefined) return lines.join('\n');
  const [question, instead] = [line(first.ifEmpty), line(first.call)];
  return [`# if ${question}`, '# answers nothing:', instead, '# else:', ...lines].join('\n');
}

function busctlWords(value: DbusValue): string[] {
  if (typeof value !== 'object') return [String(value)];
  return [String(value.length), ...value.flatMap(busctlWords)];
}

/** Secrets are named; they are filled in when it is sent. */
function requestText({ method, notification, url, secret, body }: HttpRequestStep): string {
  const where = url === undefined ? `the url of <notification name="${notification}">` : `${url}`;
  const how = {
    bearer: ', with its token',
    oauth1: ', signed with its four keys',
    routing_key: ', with its token as the member "routing_key"',
  };
  const signed = secret === undefined ? '' : how[secret];
  return `# ${method} to ${where}${signed}:\n${JSON.stringify(JSON.parse(body), undefined, 2)}`;
}

function mailText({ host, port, security, user, from, to, subject, text }: SendMailStep): string {
  const login = user === undefined ? '' : ` as ${user}, with the password of the notification`;
  const how = { starttls: 'with STARTTLS', tls: 'by TLS', none: 'in the clear' }[security];
  return [
    `# to the mail server ${host}:${port} ${how}${login}:`,
    `From: ${from}`,
    `To: ${to.join(', ')}`,
    `Subject: ${subject}`,
    '',
    text.trimEnd(),
  ].join('\n');
}

function quote(word: string): string {
  return /^[\w./:=@,+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
