/**
 * The entry: looks at the name that it was called by and at the first word, and loads what that needs
 * and nothing more. A manager starts one of these per event.
 */
import { call } from './called/call.ts';
import { calledAs } from './called/name.ts';
import { version } from './version.ts';

const words = process.argv.slice(2);
const called = calledAs(process.argv0);

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
