/** The entry: looks at the first word, and loads what that needs and nothing more. */
import { version } from './version.ts';

const words = process.argv.slice(2);

if (words[0] === '--version' || words[0] === 'version') {
  process.stdout.write(`${version}\n`);
} else {
  const { runCommandLine } = await import('./cli/command-line.ts');
  process.exitCode = await runCommandLine(words);
}
