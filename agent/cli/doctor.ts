import type { CommandModule } from 'yargs';
import type { Finding } from '../../platform/driver.ts';
import type { DriverState, Report, ResponseState } from '../doctor/report.ts';
import { exitStatus } from '../errors.ts';
import { type CommonFlags, placesOf } from './agent.ts';
import { clip, Ended, oneLine, print, printJson, table } from './output.ts';

export const doctorCommand: CommandModule<object, CommonFlags> = {
  command: 'doctor',
  describe: 'Look at this machine: what can be done here, what is missing, what would not act',
  builder: (parser) =>
    parser
      .example('$0 doctor', 'as root; with or without a running agent')
      .example('$0 doctor --json', 'for programs') as never,
  handler: async (flags) => {
    const { examineAll } = await import('../checkup.ts');
    const report = await examineAll(placesOf(flags));
    if (flags.json) printJson(report);
    else print(describe(report));
    if (!report.ok) throw new Ended(exitStatus.unwell);
  },
};

function describe(report: Report): string {
  return [
    `ar-exec ${report.version} on ${oneLine(report.system)}`,
    `configuration: ${report.config ?? 'no file: everything has its default'}`,
    `agent: ${report.agent.runs ? 'runs, ' : ''}${oneLine(report.agent.says)}`,
    '',
    table(['DRIVER', 'USABLE', 'WHY', 'INSTALL'], report.drivers.map(driverRow)),
    '',
    table(['RESPONSE', 'IPV4', 'IPV6'], report.responses.map(responseRow)),
    '',
    ...report.findings.flatMap(findingLines),
    summary(report.findings),
  ].join('\n');
}

function driverRow({ driver, usable, why, install }: DriverState): string[] {
  return [driver, usable ? 'yes' : 'no', clip(oneLine(why)), install ?? ''];
}

function responseRow(one: ResponseState): string[] {
  const name = one.pinned ? `${one.response} (pinned)` : one.response;
  if (!one.actsOnAddresses) return [name, one.driver ?? 'none', ''];
  return [name, one.ipv4 ?? 'none', one.ipv6 ?? 'none'];
}

function findingLines({ level, what, why, remedy }: Finding): string[] {
  return [
    `${level}: ${oneLine(what)}`,
    ...(why === undefined ? [] : [`  ${oneLine(why)}`]),
    ...(remedy === undefined ? [] : [`  -> ${oneLine(remedy)}`]),
  ];
}

function summary(findings: readonly Finding[]): string {
  const counted = (['problem', 'warning', 'note'] as const).map((level) => {
    const count = findings.filter((one) => one.level === level).length;
    return `${count} ${level}${count === 1 ? '' : 's'}`;
  });
  return `\n${counted.join(', ')}`;
}
