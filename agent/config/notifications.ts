import { suggestion } from './nearest.ts';
import {
  type NotificationKind,
  notificationKinds,
  notificationParts,
  secretParts,
  webhooks,
} from './notification-parts.ts';
import { configError, quote, type Remark, remarkAt } from './place.ts';
import type { Element } from './xml.ts';

/** A secret, or the file that holds it. */
export type Secret = { readonly text: string } | { readonly file: string };

/** Somebody, or a service, that is told of alerts by a response of that name. */
export interface Notification {
  readonly name: string;
  readonly kind: NotificationKind;
  /** What is not secret, by the element's name. */
  readonly values: Readonly<Partial<Record<string, string>>>;
  readonly secrets: Readonly<Partial<Record<(typeof secretParts)[number], Secret>>>;
}

interface Context {
  readonly file: string;
  readonly known: {
    readonly responses: readonly string[];
    /** The responses that notify, under all their names, and what each is called. */
    readonly notifying?: ReadonlyMap<string, string>;
  };
}

type Refuse = (element: Element, message: string, hint?: string) => never;

const form = '<notification name="wazuh-slack" kind="slack">…</notification>';

/** What each `<notification>` says. Nothing that could be a secret stands in a message. */
export function readNotifications(
  elements: readonly Element[],
  { file, known }: Context,
): { notifications: readonly Notification[]; remarks: readonly Remark[] } {
  const found = new Map<string, Notification>();
  const remarks: Remark[] = [];
  const refuse: Refuse = (element, message, hint = `Write ${form}.`) => {
    throw configError(file, element, message, hint);
  };
  for (const element of elements) {
    const unknown = Object.keys(element.attributes).find((it) => it !== 'name' && it !== 'kind');
    if (unknown !== undefined) {
      refuse(element, `<notification> has the attribute ${quote(unknown)}, and takes none of it`);
    }
    if (element.text !== '') {
      refuse(element, '<notification> holds text outside of an element');
    }
    const name = nameOf(element, known, refuse);
    const kind = kindOf(element, refuse);
    const read = readParts(element, kind, refuse);
    remarks.push(...read.remarks);
    if (found.has(name)) {
      const message = `the notification "${name}" is given above already: this one counts`;
      remarks.push(remarkAt(element, message));
    }
    found.set(name, { name, kind, values: read.values, secrets: read.secrets });
  }
  return { notifications: [...found.values()], remarks };
}

/** A manager puts the timeout behind the name: a digit at its end would be taken for one. */
function nameOf(element: Element, known: Context['known'], refuse: Refuse): string {
  const name = element.attributes['name'] ?? '';
  if (!/^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z._-])?$/i.test(name) || /\d$/.test(name)) {
    refuse(
      element,
      `<notification> has the name ${quote(name)}`,
      'A name has letters, digits, ".", "_" and "-", 64 at most, and does not end with a digit.',
    );
  }
  const notifying = known.notifying?.get(name);
  if (notifying === undefined && known.responses.includes(name)) {
    refuse(element, `${quote(name)} is a response that notifies nobody`, 'Take another name.');
  }
  if (notifying !== undefined && notifying !== name) {
    const hint = `Write name="${notifying}".`;
    refuse(element, `${quote(name)} is another name of ${quote(notifying)}`, hint);
  }
  return name;
}

function kindOf(element: Element, refuse: Refuse): NotificationKind {
  const written = element.attributes['kind'] ?? '';
  const kind = notificationKinds.find((one) => one === written);
  if (kind !== undefined) return kind;
  const hint = `The kinds are: ${notificationKinds.join(', ')}.`;
  return refuse(element, `<notification> has the kind ${quote(written)}`, hint);
}

function readParts(parent: Element, kind: NotificationKind, refuse: Refuse) {
  const possible = notificationParts.filter(({ kinds }) => kinds.includes(kind));
  const remarks: Remark[] = [];
  const written = new Map<string, string>();
  for (const element of parent.children) {
    const { name, text, children } = element;
    const part = possible.find((one) => one.element === name);
    if (part === undefined) {
      const near = suggestion(
        name,
        possible.map((one) => one.element),
      );
      remarks.push(
        remarkAt(element, `<${name}> means nothing to the kind ${kind}: it is not taken.${near}`),
      );
      continue;
    }
    if (children.length > 0 || !part.fits(text)) {
      refuse(element, `<${name}> is not ${part.form}`, `<${name}> takes: ${part.form}.`);
    }
    if (written.has(name)) {
      remarks.push(remarkAt(element, `<${name}> is given twice: this one counts`));
    }
    written.set(name, text);
  }
  for (const { element } of possible.filter(({ required }) => required?.includes(kind))) {
    if (written.has(element) || written.has(`${element}_file`)) continue;
    refuse(parent, `<notification> of the kind ${kind} lacks <${element}>`, `Add <${element}>.`);
  }
  refuseContradictions(parent, kind, written, refuse);
  const secrets = secretsOf(kind, written);
  const secret = new Set(
    secretParts.flatMap((it) => (isSecret(it, kind) ? [it, `${it}_file`] : [])),
  );
  const values = Object.fromEntries([...written].filter(([name]) => !secret.has(name)));
  return { values, secrets, remarks };
}

function refuseContradictions(
  parent: Element,
  kind: NotificationKind,
  written: ReadonlyMap<string, string>,
  refuse: Refuse,
): void {
  const twice = secretParts.find((name) => written.has(name) && written.has(`${name}_file`));
  if (twice !== undefined) {
    refuse(parent, `<notification> has <${twice}> and <${twice}_file>`, 'Leave one of them out.');
  }
  const keys = written.get('token')?.split(/\s+/).length ?? 4;
  if (kind === 'x' && keys !== 4) {
    refuse(
      parent,
      `<token> of the kind x has ${keys} words`,
      'Write four: API key, API key secret, access token, access token secret.',
    );
  }
  const password = written.has('password') || written.has('password_file');
  if (written.has('user') !== password) {
    refuse(parent, '<notification> has <user> or <password>, not both', 'Add the other one.');
  }
  if (password && written.get('security') === 'none') {
    refuse(
      parent,
      '<notification> would send its password in the clear',
      'Take starttls or tls for <security>, or leave <user> and <password> out.',
    );
  }
}

/** The address of a service that everybody knows is none. */
function isSecret(name: string, kind: NotificationKind): boolean {
  return name !== 'url' || webhooks.includes(kind);
}

function secretsOf(kind: NotificationKind, written: ReadonlyMap<string, string>) {
  const secrets: Partial<Record<(typeof secretParts)[number], Secret>> = {};
  for (const name of secretParts) {
    const text = written.get(name);
    const file = written.get(`${name}_file`);
    if (!isSecret(name, kind)) continue;
    if (text !== undefined) secrets[name] = { text };
    else if (file !== undefined) secrets[name] = { file };
  }
  return secrets;
}
