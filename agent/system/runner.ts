import type { Runner } from '../../platform/step.ts';
import type { Endpoints } from '../words.ts';
import { changeAccount, readAccounts } from './change-account.ts';
import { checkExecutable } from './check-executable.ts';
import { type Bus, createBus, systemBusSocket } from './dbus/bus.ts';
import { runDbus } from './dbus/run-dbus.ts';
import { deadlineWithin, usualDeadlineMs } from './deadline.ts';
import { endProcess } from './end-process.ts';
import { endSessions } from './end-sessions.ts';
import { editBlock, readFileStep } from './files.ts';
import { listFolder, nameFiles } from './name-files.ts';
import { createHttpRequester } from './notify/http-request.ts';
import { createMailer } from './notify/send-mail.ts';
import { runPfReference } from './pf-reference.ts';
import { runQuarantine } from './quarantine/run-quarantine.ts';
import { readProgram } from './read-program.ts';
import { createCommandRunner } from './run-command.ts';
import { toolFolders } from './tool-place.ts';
import { createOwnWork, type OwnWork } from './watch/own-work.ts';
import { readWindowsGroups } from './windows/account-keeper.ts';
import { endWindowsProcess } from './windows/end-process.ts';
import { readWindowsGateways } from './windows/gateways.ts';
import { tryNativeCalls } from './windows/processes.ts';
import { restartService } from './windows/restart-service.ts';

export interface RunnerOptions {
  /** Where tools are looked for. */
  readonly folders?: readonly string[];
  /** What the system's D-Bus is reached by. */
  readonly bus?: Bus;
  /** Where notifications go, and with which secrets. */
  readonly endpoints?: Endpoints;
  /** Is told what is done, so that who watches does not take it for somebody else's doing. */
  readonly own?: OwnWork;
  /** How long a tool may take; those that may take longer or less long go by it too. */
  readonly limitMs?: () => number;
}

/** The one door to the machine: carries out any step, and reports what came of it. Never throws. */
export function createRunner({
  folders = toolFolders,
  bus = createBus(systemBusSocket),
  endpoints = async () => ({}),
  own = createOwnWork(),
  limitMs = () => usualDeadlineMs,
}: RunnerOptions = {}): Runner {
  const startCommand = createCommandRunner(folders, own.started);
  const timed = <S extends { readonly deadlineMs?: number }>(step: S): S => ({
    ...step,
    deadlineMs: deadlineWithin(step.deadlineMs ?? usualDeadlineMs, limitMs()),
  });
  const runCommand: typeof startCommand = (step) =>
    // A service takes its time to end, and it is not for the tool to say how long.
    startCommand(step.leavesDaemons === true ? step : timed(step));
  const sendRequest = createHttpRequester(endpoints);
  const sendMail = createMailer(endpoints);
  const carryOut: Runner = async (step) => {
    try {
      switch (step.kind) {
        case 'command':
          return await runCommand(step);
        case 'edit-block':
          return await editBlock(step, runCommand);
        case 'read-file':
          return await readFileStep(step);
        case 'read-program':
          return await readProgram(step);
        case 'end-process':
          return step.system === 'win32' ? await endWindowsProcess(step) : await endProcess(step);
        case 'native-calls':
          return tryNativeCalls();
        case 'read-gateways':
          return await readWindowsGateways();
        case 'restart-service':
          return await restartService(step, run);
        case 'name-files':
          return await nameFiles(step);
        case 'list-folder':
          return await listFolder(step);
        case 'check-executable':
          return await checkExecutable(step);
        case 'read-accounts':
          return await readAccounts(run, step);
        case 'read-groups':
          return readWindowsGroups(step.user);
        case 'change-account':
          return await changeAccount(step, run, limitMs());
        case 'end-sessions':
          return await endSessions(step, run);
        case 'dbus':
          return await runDbus(timed(step), bus);
        case 'pf-reference':
          return await runPfReference(step, runCommand);
        case 'http-request':
          return await sendRequest(step);
        case 'send-mail':
          return await sendMail(step);
        case 'examine-file':
        case 'take-file':
        case 'put-back-file':
        case 'list-quarantine':
        case 'tidy-quarantine':
          return await runQuarantine(step, runCommand);
      }
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      return { failure: 'io', stdout: '', stderr: said };
    }
  };
  const run: Runner = (step) => own.during(step, () => carryOut(step));
  return run;
}
