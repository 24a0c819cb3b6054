import type { Hosts } from '../kernel/hosts.ts';

/** An element of one of our sets, as the kernel has it. */
export interface HeldElement {
  readonly target: string;
  /** Seconds until it goes by itself; absent = it stays. */
  readonly expires?: number;
}

type Listed = string | { readonly prefix: { readonly addr: string; readonly len: number } };
type Element = Listed | { readonly elem: { readonly val: Listed; readonly expires?: number } };

/** What the endpoint's kernel drops, by the table of ar-exec: one entry an element, none hidden. */
export async function kernelHolds({ exec }: Pick<Hosts, 'exec'>): Promise<HeldElement[]> {
  const { nftables } = JSON.parse(await exec(['nft', '-j', 'list', 'ruleset'])) as {
    nftables: { set?: { table: string; elem?: Element[] } }[];
  };
  const sets = nftables.flatMap(({ set }) => (set?.table === 'ar-exec' ? set : []));
  return sets.flatMap(({ elem }) => (elem ?? []).map(heldElement));
}

/** The addresses and prefixes alone, sorted. */
export async function kernelTargets(hosts: Pick<Hosts, 'exec'>): Promise<string[]> {
  return (await kernelHolds(hosts)).map(({ target }) => target).sort();
}

function heldElement(element: Element): HeldElement {
  if (typeof element === 'string' || 'prefix' in element) return { target: textOf(element) };
  const { val, expires } = element.elem;
  return { target: textOf(val), ...(expires === undefined ? {} : { expires }) };
}

function textOf(listed: Listed): string {
  return typeof listed === 'string' ? listed : `${listed.prefix.addr}/${listed.prefix.len}`;
}
