import * as v from 'valibot';
import { ArError } from '../../errors.ts';
import type { Request } from '../../words.ts';
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
  const { id } = message;
  switch (message.command) {
    case 'status':
      return { id, ask: { kind: 'status' } };
    case 'list': {
      const which = message.history === true ? 'ended' : 'live';
      return { id, ask: { kind: 'list', which, limit: message.limit ?? 1_000 } };
    }
    default:
      return { id, ask: { kind: 'act', request: toRequest(message) } };
  }
}

type Act = Extract<v.InferOutput<typeof schema>, { response: string }>;

function toRequest(message: Act): Request {
  const { command: verb, response, srcip, dryRun } = message;
  const origin = { dialect: 'native' as const, by: message.by, reason: message.reason };
  if (message.command === 'delete') {
    return { verb, response, srcip, dryRun, origin, forget: message.forget };
  }
  const { timeoutSeconds, forceProtected } = message;
  return { verb, response, srcip, dryRun, origin, timeoutSeconds, forceProtected };
}

function invalid(issue: v.BaseIssue<unknown>): ArError {
  const path = v.getDotPath(issue);
  return new ArError(
    'message-invalid',
    path === null ? issue.message : `member "${path}": ${issue.message}`,
    'docs/protocol.md shows every request with an example.',
  );
}
