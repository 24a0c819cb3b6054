import * as v from 'valibot';
import { ArError } from '../../errors.ts';
import type { Message } from '../message.ts';

const text = (longest: number) => v.pipe(v.string(), v.maxLength(longest));
const id = v.optional(v.union([text(256), v.number()]));

const act = {
  id,
  response: text(64),
  srcip: v.optional(text(256)),
  reason: v.optional(text(1_024)),
  by: v.optional(text(256)),
  dryRun: v.optional(v.boolean()),
};

/** docs/protocol.md describes each member. Unknown members are refused: a typo is not a wish. */
const schema = v.variant('command', [
  v.strictObject({
    ...act,
    command: v.literal('add'),
    timeoutSeconds: v.optional(v.pipe(v.number(), v.integer())),
    forceProtected: v.optional(v.boolean()),
  }),
  v.strictObject({ ...act, command: v.literal('delete'), forget: v.optional(v.boolean()) }),
  v.strictObject({
    id,
    command: v.literal('list'),
    history: v.optional(v.boolean()),
    limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1_000_000))),
  }),
  v.strictObject({ id, command: v.literal('status') }),
]);

/** Understands a message of ar-exec's own protocol. Throws `message-invalid`. */
export function parseNative(value: object): Message {
  const parsed = v.safeParse(schema, value);
  if (!parsed.success) throw invalid(parsed.issues[0]);
  const message = parsed.output;
  const identity = message.id === undefined ? {} : { id: message.id };
  switch (message.command) {
    case 'status':
      return { ...identity, ask: { kind: 'status' } };
    case 'list':
      return {
        ...identity,
        ask: {
          kind: 'list',
          which: message.history === true ? 'ended' : 'live',
          limit: message.limit ?? 1_000,
        },
      };
    default: {
      const { id: _, command: verb, response, srcip, reason, by, ...rest } = message;
      const origin = {
        dialect: 'native' as const,
        ...(by === undefined ? {} : { by }),
        ...(reason === undefined ? {} : { reason }),
      };
      const data = srcip === undefined ? {} : { srcip };
      return {
        ...identity,
        ask: { kind: 'act', request: { verb, response, ...data, origin, ...present(rest) } },
      };
    }
  }
}

type Present<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

function present<T extends object>(members: T): Present<T> {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined),
  ) as Present<T>;
}

function invalid(issue: v.BaseIssue<unknown>): ArError {
  const path = v.getDotPath(issue);
  return new ArError(
    'message-invalid',
    path === null ? issue.message : `member "${path}": ${issue.message}`,
    'docs/protocol.md shows every request with an example.',
  );
}
