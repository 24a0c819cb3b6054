import { defaultPaths } from '../config/default-paths.ts';
import { ArError, type ErrorCode } from '../errors.ts';
import { ask } from '../intake/client.ts';
import { reach } from '../reach.ts';

/** The flags that every subcommand has. */
export interface CommonFlags {
  readonly config?: string | undefined;
  readonly state?: string | undefined;
  readonly socket?: string | undefined;
  readonly json: boolean;
}

/** A tool may use its whole time limit, and a failed batch is tried again in parts. */
const replyDeadlineMs = 120_000;

/** Asks the agent; throws the error it answers with, `agent-unreachable` or `agent-untrusted`. */
export async function askAgent<Reply>(flags: CommonFlags, request: object): Promise<Reply> {
  const socket = flags.socket ?? defaultPaths().socket;
  const reply = (await reach(socket, () => ask(socket, request, replyDeadlineMs))) as {
    ok: boolean;
    code: ErrorCode;
    message: string;
    hint: string;
  };
  if (!reply.ok) throw new ArError(reply.code, reply.message, reply.hint);
  return reply as Reply;
}

/** The places among the flags, without those that were not said. */
export function placesOf({ config, state, socket }: CommonFlags) {
  return {
    ...(config === undefined ? {} : { config }),
    ...(state === undefined ? {} : { state }),
    ...(socket === undefined ? {} : { socket }),
  };
}
