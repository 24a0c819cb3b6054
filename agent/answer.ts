import type { Triggering } from './alerts/triggering.ts';
import type { Composed } from './compose.ts';
import { describeError } from './errors.ts';
import type { Answer } from './intake/connection.ts';
import { type ActionReply, describeAction, describeBreaker, describeOutcome } from './reply.ts';
import type { Action, Request } from './words.ts';

/** What besides the stages has an answer. */
export interface Services {
  status(): object;
  /** Reads the configuration anew. Resolves with what there is to say about it; throws `config-invalid`. */
  reload(): Promise<object>;
  /** What follows from an alert, as the configuration has it. */
  readonly triggered: Triggering;
}

/** Answers whatever can be asked of the agent. */
export function createAnswer(
  { flow, journal, settled, breaker }: Composed,
  services: Services,
): Answer {
  return ({ ask }) => {
    if (ask.kind === 'act') return flow.accept(ask.request).then(describeOutcome);
    return (async () => {
      switch (ask.kind) {
        case 'status':
          return { ok: true, ...services.status() };
        case 'breaker':
          if (ask.close) breaker.close();
          return { ok: true, breaker: describeBreaker(breaker.state()) };
        case 'reload':
          return { ok: true, ...(await services.reload()) };
        case 'alert':
          return { ok: true, ...(await answerAlert(ask.alert, ask.dryRun)) };
        case 'list': {
          const actions = journal.list(ask.which, ask.limit).map(withOffence);
          return { ok: true, actions, held: journal.liveCount() };
        }
      }
    })();
  };

  function withOffence(action: Action): ActionReply {
    if (settled().config.repeatedOffenderSeconds.length === 0) return describeAction(action);
    const offence = journal.offencesOf(action.response, action.target.text);
    return { ...describeAction(action), offence: offence === 0 ? undefined : offence };
  }

  async function answerAlert(alert: object, dryRun: boolean): Promise<object> {
    const { requests, passedOver } = await services.triggered(alert);
    const responses = await respond(requests, dryRun);
    return dryRun ? { responses, passedOver } : { responses };
  }

  /** One that is refused, or fails, is no reason to keep the others from being carried out. */
  async function respond(requests: readonly Request[], dryRun: boolean): Promise<object[]> {
    return Promise.all(
      requests.map(async (request) => {
        const asked = dryRun ? { ...request, dryRun } : request;
        try {
          return describeOutcome(await flow.accept(asked));
        } catch (error) {
          return { ok: false, response: request.response, ...describeError(error) };
        }
      }),
    );
  }
}
