/**
 * Opens an alert at PagerDuty: Events API v2
 * (https://developer.pagerduty.com/docs/send-alert-event). The routing key is a member of the body and
 * a secret: it is filled in when the request is sent.
 */
import type { Facts, OneShot, OneShotKind, Settings } from '../driver.ts';
import { everySystem } from '../system.ts';
import type { NamedTarget } from '../target.ts';
import { belowLevel, judgeHttp, notifierTraits } from './answer.ts';
import { bodyOf, cut, type Message, messageOf, oneLine } from './message.ts';
import { requestMs } from './slack.ts';

const eventsUrl = 'https://events.pagerduty.com/v2/enqueue';

export const pagerduty: OneShotKind<NamedTarget> = {
  name: 'pagerduty',
  defaults: { notification: 'ossec-pagerduty', host: '' },
  about: { add: 'opens an alert at PagerDuty', systems: everySystem, options: ['notification'] },
  make: (settings: Settings): OneShot<NamedTarget> => ({
    name: 'pagerduty',
    settings,
    traits: notifierTraits(settings),
    probe: {
      steps: [],
      read: () =>
        settings['token'] === 'configured'
          ? { usable: true, why: 'its routing key is configured', families: [] }
          : {
              usable: false,
              why: 'no routing key is configured: see <notification>',
              families: [],
            },
    },
    unwanted: (facts) => belowLevel(settings, facts),
    perform: (target, facts, attempt) => {
      const message = messageOf(facts, attempt?.also ?? [], settings['host'] ?? '');
      return {
        steps: [
          {
            kind: 'http-request',
            method: 'POST',
            notification: settings['notification'] ?? '',
            url: settings['url'] ?? eventsUrl,
            secret: 'routing_key',
            headers: { 'content-type': 'application/json; charset=utf-8' },
            body: JSON.stringify(event(target, facts, message)),
            deadlineMs: requestMs,
          },
        ],
        read: judgeHttp,
      };
    },
  }),
};

/** The same event sent twice is one alert there: its key is that of the alert here. */
function event({ text }: NamedTarget, facts: Facts, message: Message): object {
  const { title, level, fields, at } = message;
  return {
    event_action: 'trigger',
    dedup_key: cut(`ar-exec/${text}`, 255),
    payload: {
      summary: cut(title, 1_024),
      source: source(facts, message),
      severity: severityOf(level),
      timestamp: at === undefined ? undefined : new Date(at).toISOString(),
      class: oneLine(facts.ruleId ?? '') || undefined,
      custom_details: { ...Object.fromEntries(fields), text: bodyOf(message) },
    },
  };
}

/** It must not be empty. */
function source({ agentName, location }: Facts, { fields }: Message): string {
  const host = fields.find(([name]) => name === 'Told by')?.[1];
  const found = [agentName, host, location].map((one) => oneLine(one ?? ''));
  return cut(found.find((one) => one !== '') ?? 'unknown', 255);
}

/** Wazuh's levels: up to 6 low, 7 to 11 medium, 12 to 14 high, 15 critical. */
function severityOf(level: number | undefined): string {
  if (level === undefined || level <= 6) return 'info';
  if (level <= 11) return 'warning';
  return level <= 14 ? 'error' : 'critical';
}
