/**
 * pfctl(8) of FreeBSD 13.2 and 15.1, OpenBSD 7.6 and macOS, as far as transcripts (pf-*) and its source
 * (sbin/pfctl) tell of it. macOS has FreeBSD 13's words where nothing else is known: both come from
 * OpenBSD 4.
 */
import { anchorAt, forgetEmpty, type Pf, pfOf } from './pf-world.ts';
import {
  options,
  type PfctlOptions,
  type Said,
  type UsageError,
  unknown,
  usage,
} from './pfctl-options.ts';
import { loadRules } from './pfctl-rules.ts';
import { show } from './pfctl-show.ts';
import { killStates } from './pfctl-states.ts';
import { changeTable } from './pfctl-table.ts';
import { type Answer, answer, type Call, type Simulator } from './simulator.ts';

export const simulate: Simulator = (call, parts) => {
  const asked = options(call);
  if (asked === undefined) return unknown(call.args.join(' '));
  if ('refused' in asked) return usageAnswer(call, asked);
  const denied = open(call);
  if (denied !== undefined) return denied;
  const pf = pfOf(parts);
  // Finding 3: whoever ran into the limit holds the kernel's lock for ever (OpenBSD 7.6).
  if (pf.stuck) return { ...answer(0), hangs: true };
  const chatter = chatterOf(call, asked);
  const said = act(call, asked, pf);
  if ('stdout' in said) return said;
  const err = asked.quiet ? (said.err ?? []).filter(isError) : (said.err ?? []);
  return answer(said.exitCode ?? 0, { out: said.out ?? [], err: [...chatter, ...err] });
};

/** `-q` keeps back what it says of what it did, not what went wrong. */
function isError(line: string): boolean {
  return /^(pfctl: |no IP address|stdin:|usage: )/.test(line);
}

function usageAnswer({ system, args }: Call, { refused }: UsageError): Answer {
  if (system === 'macos14') return unknown(`${args.join(' ')} (usage on macOS)`);
  return answer(1, { err: [...refused, ...usage(system)] });
}

/** `err(1, "%s", pf_device)`. */
function open({ switches }: Call): Answer | undefined {
  if (switches['unloaded'] === true)
    return answer(1, { err: ['pfctl: /dev/pf: No such file or directory'] });
  const { euid = 0 } = switches;
  return euid === 0 ? undefined : answer(1, { err: ['pfctl: /dev/pf: Permission denied'] });
}

/** FreeBSD says so with `-v` (transcript pf-tables), macOS always; OpenBSD has no ALTQ any more. */
function chatterOf({ system }: Call, { verbose }: PfctlOptions): string[] {
  const always = system === 'macos14';
  const says = always || (verbose > 0 && system !== 'openbsd76');
  return says ? ['No ALTQ support in kernel', 'ALTQ related functions disabled'] : [];
}

function act(call: Call, asked: PfctlOptions, pf: Pf): Said | Answer {
  const { system } = call;
  const { anchor } = asked;
  // Transcripts: FreeBSD 13 takes it for the main ruleset.
  if (anchor === '' && (system === 'freebsd15' || system === 'openbsd76')) {
    return { err: ['pfctl: anchor name must not be empty'], exitCode: 1 };
  }
  const modifies =
    asked.flush !== undefined || (asked.file !== undefined && asked.command === undefined);
  if (modifies && anchor !== undefined && /(^|\/)_/.test(anchor)) {
    return {
      err: ["pfctl: anchor names beginning with '_' cannot be modified from the command line"],
      exitCode: 1,
    };
  }
  if (asked.disable) return disable(pf);
  if (asked.show !== undefined) return show(call, asked, pf);
  if (asked.flush !== undefined) return flush(call, asked, pf);
  if (asked.kill.length > 0) return killStates(call, asked.kill, pf);
  if (asked.command !== undefined) return changeTable(call, asked, pf);
  if (asked.reference === true) return reference(pf);
  if (asked.release !== undefined) return release(pf, asked.release);
  if (asked.file !== undefined) return loadRules(call, asked, pf);
  if (asked.enable) return enable(pf);
  return { exitCode: 0 };
}

function enable(pf: Pf): Said {
  if (pf.enabled) return { err: ['pfctl: pf already enabled'], exitCode: 1 };
  pf.enabled = true;
  return { err: ['pf enabled'] };
}

function disable(pf: Pf): Said {
  if (!pf.enabled) return { err: ['pfctl: pf not enabled'], exitCode: 1 };
  pf.enabled = false;
  // xnu, bsd/net/pf_ioctl.c, DIOCSTOP: every token is invalid then.
  pf.tokens = [];
  return { err: ['pf disabled'] };
}

/** macOS 26.5, recorded: two lines on standard error, also where it is enabled already. */
function reference(pf: Pf): Said {
  const token = String(15_053_025_338_191_571_182n + BigInt(pf.tokens.length));
  pf.tokens.unshift(token);
  pf.enabled = true;
  return { err: ['pf enabled', `Token : ${token}`] };
}

/** macOS 26.5, recorded. */
function release(pf: Pf, token: string): Said {
  if (!pf.enabled) return { err: ['pfctl: pf not enabled'], exitCode: 1 };
  if (!pf.tokens.includes(token)) return { err: ['pfctl: pf: token invalid'], exitCode: 1 };
  pf.tokens = pf.tokens.filter((one) => one !== token);
  const left = pf.tokens.length;
  if (left === 0) {
    pf.enabled = false;
    return { err: ['pf disabled'] };
  }
  return {
    err: [
      `disable request successful. ${left} more pf enable reference(s) remaining, pf still enabled.`,
    ],
  };
}

/** Transcripts pf-tables, pf-anchors: what each of them says of `-F rules` and `-F all` in an anchor. */
function flush(
  { system }: Call,
  { flush: what, anchor = '' }: PfctlOptions,
  pf: Pf,
): Said | Answer {
  if (anchor === '' || (what !== 'rules' && what !== 'all')) return unknown(`-F ${what}`);
  const { tables } = anchorAt(pf, anchor);
  const deleted = `${Object.keys(tables).length} tables deleted.`;
  pf.anchors[anchor] = { rules: [], tables: what === 'all' ? {} : tables };
  if (system === 'openbsd76') forgetEmpty(pf, anchor);
  if (what === 'rules') return { err: ['rules cleared'] };
  switch (system) {
    case 'openbsd76':
      return { err: [deleted, 'rules cleared'] };
    case 'freebsd15':
      return {
        err: ['Ethernet rules cleared', 'rules cleared', 'nat cleared', deleted, 'rules cleared'],
      };
    default:
      return { err: ['rules cleared', 'nat cleared', deleted] };
  }
}
