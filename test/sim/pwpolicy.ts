/**
 * pwpolicy(8) of macOS 14, as far as -disableuser and -enableuser in the local node go. That the one
 * makes an account a member of com.apple.access_disabled, and the other takes it out: what is read on
 * Macs by those who look there (Wazuh's own inventory reads disabled accounts from that group). What it
 * prints is said nowhere, so nothing. For who is not root: invalid_auth() of Apple's source.
 * Switches: `ignored` (it ends with 0 and does nothing).
 */
import { directoryOf } from './directory.ts';
import { type Answer, answer, type Simulator } from './simulator.ts';

export const simulate: Simulator = ({ args, switches }, parts) => {
  // Its exit status after its help is not known; nobody may rely on it.
  if (args.join(' ') === '-h') return answer(1, { out: ['Usage: pwpolicy [-h]'] });
  const [nodeOption, node, userOption, name = '', verb, ...more] = args;
  const isLocal = nodeOption === '-n' && node === '/Local/Default' && userOption === '-u';
  const directory = directoryOf(parts);
  if (!isLocal || more.length > 0 || directory.users[name] === undefined) return unknown(args);
  if (verb !== '-disableuser' && verb !== '-enableuser') return unknown(args);
  if ((switches.euid ?? 0) !== 0) {
    return answer(77, { out: ['Need either root privileges or valid authenticator'] });
  }
  if (switches['ignored'] === true) return answer(0);
  const others = (directory.disabled ?? []).filter((one) => one !== name);
  directory.disabled = verb === '-disableuser' ? [...others, name] : others;
  return answer(0);
};

function unknown(args: readonly string[]): Answer {
  return answer(99, { err: [`simulator: not known: pwpolicy ${args.join(' ')}`] });
}
