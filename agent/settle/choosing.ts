import type { Target } from '../../platform/target.ts';
import { isHost } from '../../platform/target.ts';
import type { Choice } from '../engine/choose.ts';
import type { Chosen } from '../flow.ts';
import type { Instance } from '../words.ts';

/** Answers which driver carries out what; every answer there is was made at the start. */
export interface Choosing {
  choose(response: string, target: Target): Chosen;
  /** What can be named first for a response. */
  firstFor(response: string): readonly Instance[];
}

interface Answers {
  readonly hosts: Readonly<Record<4 | 6, Chosen>>;
  readonly prefixes: Readonly<Record<4 | 6, Chosen>>;
  readonly others: Chosen;
}

export function createChoosing(
  choices: ReadonlyMap<string, Choice>,
  probes: readonly { readonly driver: string; readonly instance: Instance }[],
): Choosing {
  const instances = new Map(probes.map(({ driver, instance }) => [driver, instance]));
  const chosen = (drivers: readonly string[], why: string): Chosen => {
    const [instance, ...others] = drivers.flatMap((name) => instances.get(name) ?? []);
    return { instance, others, why };
  };
  const answersOf = ({ inOrder, why }: Choice): Answers => {
    const wide = (family: 4 | 6): Chosen => ({
      ...chosen(inOrder.prefixes[family], why),
      hostsOnly: inOrder.prefixes[family].length === 0 && inOrder.hosts[family].length > 0,
    });
    return {
      hosts: { 4: chosen(inOrder.hosts[4], why), 6: chosen(inOrder.hosts[6], why) },
      prefixes: { 4: wide(4), 6: wide(6) },
      others: chosen(inOrder.others, why),
    };
  };
  const answers = new Map([...choices].map(([name, choice]) => [name, answersOf(choice)]));

  return {
    choose: (response, target) => {
      const found = answers.get(response);
      if (found === undefined) return { others: [], why: `${response} is not known` };
      if (target.kind !== 'address') return found.others;
      return (isHost(target) ? found.hosts : found.prefixes)[target.family];
    },
    firstFor: (response) => {
      const found = answers.get(response);
      if (found === undefined) return [];
      const { hosts, prefixes, others } = found;
      return [hosts[4], hosts[6], prefixes[4], prefixes[6], others].flatMap(
        ({ instance }) => instance ?? [],
      );
    },
  };
}
