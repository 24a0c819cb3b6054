/** sc.exe, `query NAME` of what net.ts starts and stops; in the language of the machine. */
import { servicesOf } from './net.ts';
import type { Simulator } from './simulator.ts';

const names: Readonly<Record<number, string>> = { 1: 'STOPPED', 4: 'RUNNING' };

export const simulate: Simulator = ({ args, switches }, parts) => {
  const [verb, name = '', ...more] = args;
  if (verb !== 'query' || more.length > 0) {
    return { exitCode: 99, stdout: '', stderr: `simulator: not known: sc ${args.join(' ')}` };
  }
  const french = switches['language'] === 'fr';
  const services = servicesOf(parts);
  const known = Object.keys(services).find((one) => one.toLowerCase() === name.toLowerCase());
  if (known === undefined) {
    const said = '[SC] EnumQueryServicesStatus:OpenService 1060:\r\n\r\n';
    return { exitCode: 1060, stdout: said, stderr: '' };
  }
  const state = services[known] ?? 1;
  const row = (label: string, text: string): string => `        ${label.padEnd(19)}: ${text}`;
  const lines = [
    '',
    `SERVICE_NAME: ${name}`,
    row('TYPE', '10  WIN32_OWN_PROCESS  '),
    row(french ? 'ÉTAT' : 'STATE', `${state}  ${names[state] ?? ''} `),
    '                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)',
    row(french ? 'CODE_SORTIE_WIN32' : 'WIN32_EXIT_CODE', '0  (0x0)'),
    row('SERVICE_EXIT_CODE', '0  (0x0)'),
    row('CHECKPOINT', '0x0'),
    row('WAIT_HINT', '0x0'),
  ];
  return { exitCode: 0, stdout: `${lines.join('\r\n')}\r\n`, stderr: '' };
};
