/** Everything that takes what a stranger wrote: messages of each dialect, and files that others write. */
import { subjectIn, understand } from '../../../agent/called/message.ts';
import { parseArConf } from '../../../agent/config/ar-conf.ts';
import { readConfig, readManagerFile } from '../../../agent/config/read.ts';
import { answerCom } from '../../../agent/intake/com.ts';
import { parseDatagram } from '../../../agent/intake/datagram.ts';
import { parseLine } from '../../../agent/intake/message.ts';
import { responses } from '../../../agent/policy/responses.ts';
import { keysIn, keyText } from '../../../agent/script/keys.ts';
import { knownNames } from '../../../agent/settle/known-names.ts';
import { checkError, checkMessage, checkRequest, commands } from './promises.ts';
import { claim, type FuzzTarget } from './target.ts';

const jsonWords = [
  'command',
  'add',
  'delete',
  'list',
  'status',
  'alert',
  'call',
  'response',
  'srcip',
  'user',
  'file',
  'key',
  'pid',
  'executable',
  'timeoutSeconds',
  'forceProtected',
  'version',
  'origin',
  'parameters',
  'extra_args',
  'program',
  'data',
  'win',
  'eventdata',
  'ipAddress',
  'dstuser',
  'syscheck',
  'path',
  'rule',
  'level',
  'groups',
  'wazuh',
  'active_response',
  'source',
  'ip',
  ...responses.map(({ name }) => name),
  'own.sh',
  '!own.sh',
  'firewall-drop600',
  'block600',
];
const confWords = [
  'ar-exec',
  'ossec_config',
  'active-response',
  'command',
  'name',
  'executable',
  'expect',
  'timeout_allowed',
  'extra_args',
  'location',
  'level',
  'rules_id',
  'rules_group',
  'timeout',
  'repeated_offenders',
  'white_list',
  'global',
  'disabled',
  'never_block',
  'driver',
  'limits',
  'notification',
  'script',
  'client',
  'server',
  'address',
  'yes',
  'no',
  '10m',
  '30,60,120',
];

const line: FuzzTarget = {
  name: 'line',
  shape: 'json',
  words: jsonWords,
  run: (input) => checkMessage(parseLine(input.toString(), commands)),
};

const datagram: FuzzTarget = {
  name: 'datagram',
  shape: 'json',
  words: [...jsonWords, ' - ', '(web) any->/var/log/auth.log', 'restart-wazuh'],
  run: (input) => {
    for (const manager of ['wazuh4', 'wazuh5', 'ossec'] as const) {
      try {
        const request = parseDatagram(input, { manager, commands });
        claim(!/[/\\]/.test(request.response), `the path ${request.response}`);
        checkRequest(request);
      } catch (error) {
        checkError(error);
      }
    }
  },
};

/** The executable under a response's name: what it makes of execd's line. */
const called: FuzzTarget = {
  name: 'called',
  shape: 'json',
  words: jsonWords,
  run: (input) => {
    const found = understand(input);
    if (found === undefined) return;
    for (const { name, target, stateful } of responses) {
      const subject = subjectIn(found, { name, target, stateful } as never);
      claim(subject.refusal !== '', 'it is refused without a reason');
    }
    checkMessage(
      parseLine(
        JSON.stringify({ command: 'call', program: 'bin/firewall-drop', message: found.message }),
        commands,
      ),
    );
  },
};

const com: FuzzTarget = {
  name: 'com',
  shape: 'text',
  words: [
    'getconfig',
    'active-response',
    'internal',
    'logging',
    'lock_restart',
    'unmerge',
    'uncompress',
    'restart',
    'reload',
  ],
  run: (input) => {
    let asked = 0;
    const answer = answerCom(input.toString(), {
      manager: 'wazuh4',
      config: () => ({ disabled: false, repeatedOffenderSeconds: [600] }),
      restart: () => {
        asked += 1;
        claim(/^(?:restart(?:-wazuh)?|reload)(?: |$)/.test(input.toString()), 'it restarts');
      },
      lockRestart: (seconds) => {
        asked += 1;
        claim(Number.isInteger(seconds) && seconds >= 0 && seconds <= 600, `locks ${seconds} s`);
      },
      unpack: async (_command, names) => {
        asked += 1;
        claim(names.length <= 2, 'it unpacks more than was named');
        return 'bad-name';
      },
    });
    claim(asked <= 1, 'it does more than one thing');
    if (typeof answer === 'string') claim(/^(?:ok|err) /.test(answer), `it answers ${answer}`);
  },
};

const conf: FuzzTarget = {
  name: 'conf',
  shape: 'xml',
  words: confWords,
  run: (input) => {
    try {
      const { config, warnings } = readConfig(input.toString(), 'ar-exec.conf', knownNames);
      const { limits } = config;
      claim(limits.connections >= 1 && limits.connections <= 10_000, 'a limit out of bounds');
      claim(limits.messageBytes <= 1_048_576, 'a limit out of bounds');
      for (const { executable } of config.commands) claim(executable !== '', 'no executable');
      for (const one of warnings) claim(!/\p{Cc}/u.test(one), `a warning ${JSON.stringify(one)}`);
    } catch (error) {
      checkError(error);
    }
    try {
      readManagerFile(input.toString(), 'ossec.conf');
    } catch (error) {
      checkError(error);
    }
  },
};

const arConf: FuzzTarget = {
  name: 'ar-conf',
  shape: 'text',
  words: [' - ', 'firewall-drop600', 'firewall-drop', '600', '\n', '!', '..', '.exe', '\r\n', '#'],
  run: (input) => {
    const { entries, remarks } = parseArConf(input.toString());
    claim(remarks.length <= 20, 'remarks without end');
    for (const { name, executable, timeoutSeconds } of entries) {
      claim(name !== '' && name.length <= 256 && !name.startsWith('!'), `the name ${name}`);
      claim(!/[/\\\n]|^\./.test(executable), `the executable ${executable}`);
      claim(timeoutSeconds >= 0 && !Number.isNaN(timeoutSeconds), 'a timeout');
    }
  },
};

/** What a script says of what it is about. */
const keys: FuzzTarget = {
  name: 'keys',
  shape: 'json',
  words: ['check_keys', 'command', 'parameters', 'keys', 'version', 'origin'],
  run: (input) => {
    const found = keysIn(input.toString());
    if (found === undefined) return;
    const text = keyText(found);
    claim(text !== '' && text.length <= 4_095 && !/[\p{Cc}\p{Cf}]/u.test(text), `the key ${text}`);
  },
};

export const targets: readonly FuzzTarget[] = [line, datagram, called, com, conf, arConf, keys];
