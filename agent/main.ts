/**
 * The entry: looks at the name that it was called by and at the first word, and loads what that needs
 * and nothing more. A manager starts one of these per event.
 */
import { call } from './called/call.ts';
import { calledAs } from './called/name.ts';
import { currentSystem } from './config/default-paths.ts';
import { startWithout } from './environment.ts';
import { version } from './version.ts';

startWithout();
const words = process.argv.slice(2);
// What stands in front of a Node of the system's own tells it (agent/service/files.ts).
const { AR_EXEC_CALLED: told } = process.env;
const called = calledAs(told ?? process.argv0, currentSystem, told ?? process.execPath);
delete process.env['AR_EXEC_CALLED'];

if (called !== undefined) {
  // Nothing that could still be open is of use to anybody.
  void call(called, words).then((status) => process.exit(status));
} else if (words[0] === '--version' || words[0] === 'version') {
  process.stdout.write(`${version}\n`);
} else {
  void import('./cli/command-line.ts')
    .then(({ runCommandLine }) => runCommandLine(words))
    .then((status) => {
      process.exitCode = status;
    });
}
