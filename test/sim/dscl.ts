/**
 * dscl(1) of macOS 14, as far as listing accounts and reading who is disabled goes. How it lists and
 * what it says of a key or a record that is not there: published outputs of the tool; its exit status
 * for a record is the error (-14136, eDSRecordNotFound) in eight bits, 56. Switches: `folds` (each value
 * on a line of its own, as it prints values with spaces), `nodirectory`.
 */
import { directoryOf, type SimUser } from './directory.ts';
import { type Answer, answer, type Simulator } from './simulator.ts';

const keys: Readonly<Record<string, (user: SimUser) => string | undefined>> = {
  UniqueID: ({ uid }) => `${uid}`,
  PrimaryGroupID: ({ gid }) => `${gid}`,
  // Who has none is not listed.
  AuthenticationAuthority: ({ authority }) => authority.join(' ') || undefined,
};

export const simulate: Simulator = ({ args, switches }, parts) => {
  const [node, verb, path, key = '', ...more] = args;
  const value = keys[key];
  if (node !== '.' || more.length > 0) return unknown(args);
  if (switches['nodirectory'] === true) {
    return answer(70, { err: ['Cannot open node on host localhost: eServerNotRunning (-14057)'] });
  }
  const { users, disabled } = directoryOf(parts);
  if (verb === '-list' && path === '/Users' && value !== undefined) {
    const rows = Object.entries(users).map(([name, user]) => ({ name, value: value(user) }));
    const width = Math.max(...rows.map(({ name }) => name.length));
    const listed = rows.filter((row) => row.value !== undefined);
    return answer(0, { out: listed.map((row) => `${row.name.padEnd(width)} ${row.value}`) });
  }
  if (
    verb === '-read' &&
    path === '/Groups/com.apple.access_disabled' &&
    key === 'GroupMembership'
  ) {
    if (disabled === undefined) {
      return answer(56, { err: ['<dscl_cmd> DS Error: -14136 (eDSRecordNotFound)'] });
    }
    if (disabled.length === 0) return answer(0, { err: ['No such key: GroupMembership'] });
    if (switches['folds'] === true) {
      return answer(0, { out: ['GroupMembership:', ...disabled.map((name) => ` ${name}`)] });
    }
    return answer(0, { out: [`GroupMembership: ${disabled.join(' ')}`] });
  }
  return unknown(args);
};

function unknown(args: readonly string[]): Answer {
  return answer(99, { err: [`simulator: not known: dscl ${args.join(' ')}`] });
}
