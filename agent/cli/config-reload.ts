import type { Reloaded } from '../reload.ts';
import { askAgent, type CommonFlags } from './agent.ts';
import { oneLine, print, printJson, remark } from './output.ts';

/** Has the running agent read its configuration anew. Throws `config-invalid`, and it goes on as it was. */
export async function reloadConfig(flags: CommonFlags): Promise<void> {
  const reply = await askAgent<Reloaded>(flags, { id: 1, command: 'reload' });
  if (flags.json) {
    printJson(reply);
    return;
  }
  const { file, warnings, nextStart } = reply;
  for (const warning of warnings) remark(oneLine(warning));
  print(
    file === null
      ? 'There is no file: the agent goes by the defaults now.'
      : `The agent goes by ${file} now.`,
  );
  if (nextStart.length > 0) {
    print(`These count from its next start only: ${nextStart.join(', ')}.`);
  }
}
