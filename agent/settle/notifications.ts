/** What the configuration's notifications mean: responses, and the settings of their one-shots. */
import { hostname } from 'node:os';
import type { Settings } from '../../platform/driver.ts';
import { oneShots } from '../../platform/index.ts';
import type { NotificationKind } from '../config/notification-parts.ts';
import type { Notification } from '../config/notifications.ts';
import { findResponse, type ResponseDefinition, responses } from '../policy/responses.ts';
import type { Instance } from '../words.ts';

/** The one-shot of each kind. */
const driverOf: Readonly<Record<NotificationKind, string>> = {
  slack: 'slack',
  mattermost: 'slack',
  teams: 'slack',
  discord: 'slack',
  json: 'slack',
  x: 'x-post',
  mastodon: 'x-post',
  pagerduty: 'pagerduty',
  mail: 'mail',
};
const standardPorts: Readonly<Record<string, number>> = { starttls: 587, tls: 465, none: 25 };
/** What everybody can read is not for every alert. */
const perMinute: Readonly<Partial<Record<NotificationKind, string>>> = { x: '2', mastodon: '2' };

/** The built-in responses that notify, by all their names. */
export function notifyingNames(): ReadonlyMap<string, string> {
  const drivers = new Set(Object.values(driverOf));
  return new Map(
    responses
      .filter((response) => response.drivers.some((name) => drivers.has(name)))
      .flatMap(({ name, aliases = [] }) => [name, ...aliases].map((one) => [one, name] as const)),
  );
}

/** The responses that are configured, by all their names; they need no choice of a driver. */
export function configuredResponses(
  notifications: readonly Notification[],
): ReadonlyMap<string, ResponseDefinition & { readonly instance: Instance }> {
  const found = notifications.map((one) => {
    const builtIn = findResponse(one.name);
    const driver = driverOf[one.kind];
    const definition = {
      name: one.name,
      target: 'named',
      stateful: false,
      drivers: [driver],
      wantsFacts: true,
      ...(builtIn?.aliases === undefined ? {} : { aliases: builtIn.aliases }),
      summary: `${driver} tells of it, as <notification name="${one.name}"> says`,
      instance: { driver, settings: settingsOf(one) },
    } as const;
    return definition;
  });
  return new Map(
    found.flatMap((definition) =>
      [definition.name, ...(definition.aliases ?? [])].map((name) => [name, definition] as const),
    ),
  );
}

/** What the one-shots of the built-in responses are set up with. */
export function notificationSettings(
  notifications: readonly Notification[],
): Readonly<Record<string, Settings>> {
  return Object.fromEntries(
    [...new Set(Object.values(driverOf))].map((driver) => {
      const name = oneShots.find((kind) => kind.name === driver)?.defaults['notification'];
      const found = notifications.find((one) => one.name === name && driverOf[one.kind] === driver);
      return [driver, found === undefined ? { host: hostname() } : settingsOf(found)];
    }),
  );
}

/** Nothing of this is secret: it is written down with each action. */
function settingsOf({ name, kind, values, secrets }: Notification): Settings {
  const { security = 'starttls', server } = values;
  const settings: Record<string, string | undefined> = {
    notification: name,
    host: hostname(),
    minLevel: values['min_level'],
    perMinute: values['per_minute'] ?? perMinute[kind],
    url: secrets.url === undefined ? values['url'] : 'configured',
    token: secrets.token === undefined ? undefined : 'configured',
    ...(driverOf[kind] === 'slack' ? { format: kind, channel: values['channel'] } : {}),
    ...(driverOf[kind] === 'x-post' ? { service: kind } : {}),
  };
  if (server !== undefined) {
    settings['server'] = /:\d+$/.test(server) ? server : `${server}:${standardPorts[security]}`;
    settings['security'] = security;
    settings['user'] = values['user'];
    settings['from'] = values['from'];
    settings['to'] = values['to']?.split(/[\s,]+/).join(' ');
  }
  return Object.fromEntries(
    Object.entries(settings).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}
