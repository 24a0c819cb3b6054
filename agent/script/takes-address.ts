import type { Config } from '../config/settings.ts';

/**
 * Whether a script has to be taken for one that acts on the address of an alert. It is told the whole
 * alert, whatever its command expects, so that only somebody who knows it can say that it does not: by
 * `guard="no"`, or by a `<command>` whose `<expect>` is there and leaves out `srcip`. A command without
 * `<expect>`, as Wazuh has them since 4.2, says nothing of it, and nor does `ar.conf`.
 */
export function takesAddress(
  { scripts, commands }: Pick<Config, 'scripts' | 'commands'>,
  response: string,
): boolean {
  const declared = scripts.get(response)?.guard;
  if (declared !== undefined) return declared;
  const said = commands.filter(({ executable }) => executable === response);
  return (
    said.length === 0 ||
    said.some(({ statesExpect, expect }) => statesExpect !== true || expect.includes('srcip'))
  );
}
