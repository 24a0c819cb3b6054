import { type LocalAccount, readLocalAccounts } from './account-files.ts';
import {
  type AccountKeeper,
  command,
  type Former,
  type Next,
  reached,
  staysLocked,
} from './account-keeper.ts';

/** What usermod and passwd end with when they cannot have the files now, among other things. */
const busy: Readonly<Record<string, number>> = { usermod: 1, passwd: 5 };

/** Linux: /etc/passwd and /etc/shadow, changed by the tools of shadow. */
export const shadowAccounts: AccountKeeper = {
  read: readLocalAccounts,
  disable,
  giveBack,
  isBusy: (tool, { exitCode }) => exitCode === busy[tool],
};

function disable({ name, password, expire }: LocalAccount, wantsExpiry: boolean): Next {
  const args = [
    ...(password === 'locked' ? [] : ['-L']),
    ...(wantsExpiry && expire !== '1' ? ['-e', '1'] : []),
  ];
  return args.length === 0 ? reached : usermod(args, name);
}

/** The expiry goes last: as long as it stands nobody is let in. */
function giveBack({ name, field, expire: now }: LocalAccount, { password, expire }: Former): Next {
  // Two marks: somebody else locked it too.
  const isOurs = password !== 'locked' && /^![^!]/.test(field);
  const emptied = password !== 'locked' && field === '!';
  // No tool unlocks into an account without a password: that has to be said in so many words.
  if (emptied && password === 'none') return command('passwd', ['-d', '--', name]);
  const args = [
    ...(isOurs ? ['-U'] : []),
    ...(expire !== undefined && now === '1' && expire !== '1' ? ['-e', expire] : []),
  ];
  if (args.length > 0) return usermod(args, name);
  return emptied ? staysLocked : reached;
}

function usermod(args: readonly string[], name: string): Next {
  return command('usermod', [...args, '--', name]);
}
