/**
 * The manual pages. ar-exec(8) is made of what --help is made of, ar-exec.conf(5) of the page of the
 * documentation that tests hold to the settings that there are. man(7).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultPaths } from '../../agent/config/default-paths.ts';
import { exitStatus } from '../../agent/errors.ts';
import { escaped, manOf, page, startingLine } from './man.ts';
import { type Command, commandWords, commonOptions, type Word } from './words.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

const heading = (name: string, section: number) =>
  `.TH ${name} ${section} 2026-11-28 "ar-exec ${version}" "${section === 8 ? 'System Administration' : 'File Formats'}"`;

export function programPage(): string {
  const commands = commandWords();
  const paths = defaultPaths('linux', () => false);
  const statuses = Object.entries(exitStatus).map(([name, status]) => tagged(`${status}`, name));
  return page([
    heading('AR\\-EXEC', 8),
    '.SH NAME',
    'ar\\-exec \\- carries out active responses, and takes them back on time',
    '.SH SYNOPSIS',
    ...commands.flatMap(({ name, usage }) => [
      '.br',
      `.B ar\\-exec ${escaped(name)}${escaped(usage.slice(name.length))}`,
      '[options]',
    ]),
    '.SH DESCRIPTION',
    'Something that has detected an attack asks for a response: to block an address, to lock an account,',
    'to run a script. ar\\-exec writes down what it is going to do, does it with the machine\\(aqs own tools,',
    'looks whether it came true, and takes it back when its time is up: after a crash, a restart of the',
    'machine and a flush of the firewall, too.',
    '.SH COMMANDS',
    ...commands.flatMap(commandLines),
    '.SH OPTIONS OF ALL COMMANDS',
    ...commonOptions.flatMap(optionLines),
    '.SH EXIT STATUS',
    ...statuses.flat(),
    '.SH ENVIRONMENT',
    ...tagged(
      'AR_EXEC_CONFIG, AR_EXEC_STATE, AR_EXEC_SOCKET',
      'in place of --config, --state and --socket',
    ),
    '.SH FILES',
    ...tagged(paths.configFile, 'the configuration, ar-exec.conf(5)'),
    ...tagged(`${paths.stateFolder}/journal.db`, 'what is held, and what was'),
    ...tagged(paths.socket, 'where requests are taken'),
    ...tagged(
      paths.activeResponsesLog,
      "what was done; in logs of the manager's agent where there is one",
    ),
    '.SH SIGNALS',
    ...tagged(
      'SIGHUP',
      'reads the configuration and opens the logs anew, and compares what the machine holds',
    ),
    ...tagged(
      'SIGTERM, SIGINT',
      'finishes what is in work and ends; what is held stays, if on_stop does not say otherwise',
    ),
    '.SH SEE ALSO',
    '.BR ar\\-exec.conf (5),',
    'and the documentation in /usr/share/doc/ar\\-exec',
  ]);
}

export function configurationPage(): string {
  const text = readFileSync(join(root, 'docs/configuration.md'), 'utf8');
  return page([
    heading('AR\\-EXEC.CONF', 5),
    '.SH NAME',
    'ar\\-exec.conf \\- settings of ar\\-exec, and commands and active responses',
    '.SH DESCRIPTION',
    ...manOf(text),
    '.SH SEE ALSO',
    '.BR ar\\-exec (8)',
  ]);
}

function commandLines({ usage, describe, positionals, options, examples }: Command): string[] {
  return [
    `.SS ar\\-exec ${escaped(usage)}`,
    `${startingLine(describe)}.`,
    ...positionals.flatMap((one) => tagged(one.name, described(one))),
    ...options.flatMap(optionLines),
    ...(examples.length === 0
      ? []
      : [
          '.PP',
          'Examples:',
          '.PP',
          '.nf',
          ...examples.map(([line, says]) =>
            startingLine(says === '' ? line : `${line}    # ${says}`),
          ),
          '.fi',
        ]),
  ];
}

function optionLines(option: Word): string[] {
  return tagged(`--${option.name}${option.value ? '=…' : ''}`, described(option));
}

function described({ describe, choices, defaultValue }: Word): string {
  const usual =
    defaultValue === undefined || defaultValue === false ? '' : ` (default: ${defaultValue})`;
  const one = choices.length === 0 ? '' : `; one of ${choices.join(', ')}`;
  return `${describe}${one}${usual}`;
}

function tagged(tag: string, text: string): string[] {
  return ['.TP', `.B ${escaped(tag)}`, startingLine(text)];
}
