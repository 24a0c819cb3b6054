/** sc.exe, `query` of the firewall's service. Switch: `stopped`, names of services. */
import type { Simulator } from './simulator.ts';
import { print, unknown, wordsOf } from './windows-words.ts';

export const simulate: Simulator = (call) => {
  const { args, switches } = call;
  const words = wordsOf(call);
  const [verb = '', name = '', ...more] = args;
  if (verb.toLowerCase() !== 'query' || more.length > 0) return unknown(`sc ${args.join(' ')}`);
  if (name.toLowerCase() !== 'mpssvc') {
    const said = '[SC] EnumQueryServicesStatus:OpenService 1060:';
    return print(1060, [said, '', words.noService, '']);
  }
  const stopped = (switches['stopped'] as readonly string[] | undefined)?.includes('mpssvc');
  const row = (label: string, text: string): string => `        ${label.padEnd(19)}: ${text}`;
  return print(0, [
    '',
    `SERVICE_NAME: ${name}`,
    row(words.type, '20  WIN32_SHARE_PROCESS  '),
    row(words.state, stopped === true ? '1  STOPPED ' : '4  RUNNING '),
    '                                (NOT_STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)',
    row('WIN32_EXIT_CODE', '0  (0x0)'),
    row('SERVICE_EXIT_CODE', '0  (0x0)'),
    row('CHECKPOINT', '0x0'),
    row('WAIT_HINT', '0x0'),
  ]);
};
