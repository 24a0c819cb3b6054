import type { Loaded } from '../config/load.ts';
import type { Config } from '../config/settings.ts';
import type { Explanation } from '../explain/explain.ts';
import { loadHere } from '../settle/load-here.ts';
import { type CommonFlags, placesOf } from './agent.ts';
import { oneLine, print, printJson } from './output.ts';

/** Says what the configuration means on this machine. */
export async function checkConfig(flags: CommonFlags): Promise<void> {
  const { config: file } = placesOf(flags);
  const loaded = await loadHere(file);
  const { composeInMemory } = await import('./direct.ts');
  const composed = await composeInMemory({ ...flags });
  const { explain } = await import('../explain/explain.ts');
  const explanation = await explain(composed.settled());
  const { choices } = composed.settled();
  if (flags.json) {
    const { drivers, neverBlock, notifications, scripts, ...rest } = loaded.config;
    printJson({
      ok: true,
      file: loaded.file ?? null,
      managerFile: loaded.managerFile ?? null,
      warnings: loaded.warnings,
      choices,
      explanation,
      config: {
        ...rest,
        neverBlock: neverBlock.map(({ text }) => text),
        drivers: Object.fromEntries(drivers),
        scripts: Object.fromEntries(scripts),
        // What is secret is named, and not told.
        notifications: notifications.map(({ secrets, ...one }) => ({
          ...one,
          secrets: Object.keys(secrets),
        })),
      },
    });
    return;
  }
  const source = loaded.file ?? 'no file: everything has its default';
  const said = [...sources(source, loaded), ...sentences(loaded.config)];
  print([...said, ...lines(explanation), ...choices].join('\n'));
}

function sources(source: string, { managerFile }: Loaded): string[] {
  return managerFile === undefined ? [source] : [source, `The manager's part of ${managerFile}.`];
}

function lines({ commands, activeResponses, notes }: Explanation): string[] {
  const list = (heading: string, entries: readonly { readonly text: string }[]): string[] =>
    entries.length === 0 ? [] : ['', heading, ...entries.map(({ text }) => `  ${oneLine(text)}`)];
  const explained = [
    ...list('What managers can ask for:', commands),
    ...list('What alerts set off:', activeResponses),
    ...(notes.length === 0 ? [] : ['', ...notes]),
  ];
  return explained.length === 0 ? [] : [...explained, ''];
}

function sentences(config: Config): string[] {
  const { limits, history } = config;
  const never = config.neverBlock.map(({ text }) => text);
  return [
    never.length === 0
      ? 'Never blocked: only what the agent protects by itself.'
      : `Never blocked, besides what the agent protects by itself: ${never.join(', ')}.`,
    config.managers.length === 0
      ? 'No manager is named.'
      : `Managers, never blocked either: ${config.managers.join(', ')}.`,
    `Prefixes wider than /${config.widestPrefixIpv4} (IPv4) or /${config.widestPrefixIpv6} (IPv6) are refused.`,
    ...[...config.drivers].map(
      ([response, names]) => `${response} may use ${names.join(', then ')} and nothing else.`,
    ),
    `host-deny edits ${config.hostsDenyFile}.`,
    config.onStop === 'keep'
      ? 'When the agent is stopped, what is held stays in force.'
      : 'When the agent is stopped, everything is taken back.',
    `Journal and machine are compared every ${config.reconcileEverySeconds} s.`,
    `What is over is remembered for ${history.keepDays} days, ${history.keepEntries} entries at most.`,
    `Limits: ${limits.connections} connections, ${limits.messageBytes} bytes a message, ${limits.pendingRequests} requests waiting, ${limits.activeActions} actions held.`,
  ];
}
