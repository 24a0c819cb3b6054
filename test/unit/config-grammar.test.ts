/** Files as people and managers could write them, made by grammars: what was meant is what is read. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseArConf } from '../../agent/config/ar-conf.ts';
import { describeDuration, parseDuration } from '../../agent/config/duration.ts';
import { readConfig } from '../../agent/config/read.ts';
import { settings } from '../../agent/config/settings.ts';
import { ArError } from '../../agent/errors.ts';
import { knownNames } from '../../agent/settle/known-names.ts';

const numRuns = 100;
const read = (text: string) => readConfig(text, 'f.conf', knownNames, 'linux');

/** White space and comments, as they may stand between elements. */
const gap = fc
  .array(fc.constantFrom(' ', '\n', '\t', '\r\n', '<!-- a > b & c -->', '<!-- <command> -->'), {
    maxLength: 3,
  })
  .map((parts) => parts.join(''));
const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const element = (name: string, inner: string) => `<${name}>${inner}</${name}>`;
/** Each with its gaps, in any order. */
const scattered = (parts: readonly string[]) =>
  fc
    .tuple(fc.shuffledSubarray([...parts], { minLength: parts.length }), fc.infiniteStream(gap))
    .map(([order, gaps]) => order.map((one) => `${gaps.next().value}${one}`).join(''));

const pathPart = fc.stringMatching(/^[a-z0-9_&-][a-z0-9 ._-]{0,8}[a-z0-9]$/);
const path = fc
  .array(pathPart, { minLength: 1, maxLength: 4 })
  .map((parts) => `/${parts.join('/')}`);

/** Texts that a setting takes, by what it says of itself. */
function textsOf({ form, element: name }: { form: string; element: string }): fc.Arbitrary<string> {
  const [, least, most] = /^(\d\S*(?: \d\S*)*) to (\d.*)$/.exec(form) ?? [];
  if (least !== undefined && most !== undefined) {
    const isCount = /^\d+$/.test(least) && /^\d+$/.test(most);
    const bound = (text: string) => (isCount ? Number(text) : parseDuration(text));
    const within = fc.integer({ min: bound(least), max: bound(most) });
    const spelled = fc.constantFrom(String, isCount ? String : describeDuration);
    return fc.tuple(within, spelled).map(([value, spell]) => spell(value));
  }
  if (form.startsWith('absolute paths')) {
    const between = fc.constantFrom(',', ', ', '\n  ');
    return fc.tuple(fc.array(path, { maxLength: 3 }), between).map(([all, by]) => all.join(by));
  }
  if (form.startsWith('an absolute path')) return path;
  if (form.includes('a number, like 001')) return fc.stringMatching(/^\d{1,10}$/);
  if (form.startsWith('letters, digits')) return fc.stringMatching(/^[\w.-]{1,128}$/);
  if (form.includes('a family')) return fc.stringMatching(/^(inet|ip6?) [a-z_]{1,9} [a-z_]{1,9}$/);
  if (/a name|the name|a group|the path/.test(form)) return fc.stringMatching(/^[a-z]\w{0,15}$/);
  const choices = form.split(', ').map((one) => (one === 'empty' ? '' : one));
  if (choices.length < 2) throw new Error(`no texts for ${name}: ${form}`);
  return fc.constantFrom(...choices);
}

/** Some settings, each with a text that it takes. */
const assignments = fc
  .record(Object.fromEntries(Object.values(settings).map((one) => [one.element, textsOf(one)])), {
    requiredKeys: [],
  })
  .map((chosen) => Object.entries(chosen) as [string, string][]);

/** The elements of a section, those of a group in one. */
function elementsOf(given: readonly (readonly [string, string])[]): string[] {
  const groups = Map.groupBy(given, ([name]) => (name.includes('/') ? name.split('/')[0] : ''));
  return [...groups].flatMap(([group = '', members]) => {
    const inner = members.map(([name, text]) =>
      element(name.split('/').at(-1) ?? '', escaped(text)),
    );
    return group === '' ? inner : [element(group, inner.join('\n'))];
  });
}

describe("ar-exec's own file", () => {
  const plain = (given: readonly (readonly [string, string])[]) =>
    read(element('ar-exec', elementsOf(given).join('\n')));

  test('means the same however it is laid out', () => {
    const laidOut = assignments.chain((given) =>
      fc
        .tuple(
          scattered(elementsOf(given)),
          fc.constantFrom(
            '',
            '<ossec_config><syscheck><frequency>1</frequency></syscheck></ossec_config>',
          ),
          fc.boolean(),
        )
        .map(([inner, other, wrapped]) => {
          const section = element('ar-exec', inner);
          return {
            given,
            text: `${wrapped ? element('ossec_config', section) : section}\n${other}`,
          };
        }),
    );
    fc.assert(
      fc.property(laidOut, ({ given, text }) => {
        const { config, warnings } = read(text);
        expect(warnings).toEqual([]);
        expect(config).toEqual(plain(given).config);
      }),
      { numRuns },
    );
  });

  test('with one text that its setting does not take is refused, and the place is told', () => {
    const all = Object.values(settings);
    const broken = fc
      .tuple(assignments, fc.constantFrom(...all), fc.string({ maxLength: 20 }))
      .map(([given, setting, text]) => {
        const others = given.filter(([name]) => name !== setting.element);
        return { others, setting, text: text.replaceAll(/[<&\r]|\]\]>/g, '').trim() };
      })
      .filter(({ setting, text }) => setting.read(text) === undefined);
    fc.assert(
      fc.property(broken, ({ others, setting, text }) => {
        const work = () => plain([...others, [setting.element, text]]);
        expect(work).toThrow(ArError);
        try {
          work();
        } catch (error) {
          expect(error).toMatchObject({ code: 'config-invalid' });
          expect(String(error)).toMatch(/f\.conf:\d+:\d+/);
          expect(String(error)).toContain(setting.element.split('/').at(-1));
        }
      }),
      { numRuns },
    );
  });
});

const word = fc.stringMatching(/^[a-z][a-z0-9_-]{0,12}$/);

describe('ossec.conf', () => {
  const expects = { srcip: 'srcip', user: 'user', username: 'user', filename: 'filename' } as const;
  const command = fc.record({
    name: word,
    executable: fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._+@-]{0,20}$/),
    expect: fc.option(
      fc.uniqueArray(fc.constantFrom(...(Object.keys(expects) as (keyof typeof expects)[]))),
      { nil: undefined },
    ),
    timeoutAllowed: fc.boolean(),
    extraArgs: fc.array(fc.stringMatching(/^[a-z0-9=.-]{1,8}$/), { maxLength: 3 }),
    between: fc.constantFrom(',', ', ', '|', ' '),
  });
  const response = fc.record({
    location: fc.constantFrom('local', 'server', 'all', 'LOCAL'),
    level: fc.option(fc.integer({ min: 0, max: 16 }), { nil: undefined }),
    ruleIds: fc.array(fc.stringMatching(/^[1-9]\d{0,5}$/), { minLength: 1, maxLength: 4 }),
    timeout: fc.integer({ min: 0, max: 1_000_000 }),
    of: fc.nat(),
  });
  const file = fc
    .record({
      commands: fc.uniqueArray(command, {
        minLength: 1,
        maxLength: 5,
        selector: ({ name }) => name,
      }),
      responses: fc.array(response, { maxLength: 5 }),
      noise: fc.array(
        fc.constantFrom(
          '<localfile><log_format>syslog</log_format><location>/var/log/a b</location></localfile>',
          '<syscheck><directories check_all="yes">/etc,/usr/bin</directories></syscheck>',
          '<wodle name="command"><command>/bin/true</command></wodle>',
          '<rootcheck><disabled>no</disabled></rootcheck>',
        ),
        { maxLength: 3 },
      ),
      gaps: fc.infiniteStream(gap),
    })
    .map(({ commands, responses, noise, gaps }) => {
      const spread = (inner: readonly string[]) =>
        inner.map((one) => `${gaps.next().value}${one}`).join('');
      const blocks = commands.map((one) =>
        element(
          'command',
          spread([
            element('name', one.name),
            element('executable', one.executable),
            ...(one.expect === undefined ? [] : [element('expect', one.expect.join(one.between))]),
            element('timeout_allowed', one.timeoutAllowed ? 'yes' : 'no'),
            ...(one.extraArgs.length === 0 ? [] : [element('extra_args', one.extraArgs.join(' '))]),
          ]),
        ),
      );
      const named = responses.map((one) => ({
        ...one,
        command: commands[one.of % commands.length] as (typeof commands)[number],
      }));
      const answers = named.map((one) =>
        element(
          'active-response',
          spread([
            element('command', one.command.name),
            element('location', one.location),
            ...(one.level === undefined ? [] : [element('level', String(one.level))]),
            element('rules_id', one.ruleIds.join(',')),
            element('timeout', String(one.timeout)),
          ]),
        ),
      );
      const text = element('ossec_config', spread([...noise, ...answers, ...blocks, ...noise]));
      return { commands, named, text };
    });

  test('means the commands and the active responses that stand in it, and no other', () => {
    fc.assert(
      fc.property(file, ({ commands, named, text }) => {
        const { config } = read(text);
        const meant = commands.map((one) => ({
          name: one.name,
          executable: one.executable,
          expect: [...new Set((one.expect ?? []).map((name) => expects[name]))],
          statesExpect: one.expect !== undefined,
          timeoutAllowed: one.timeoutAllowed,
          extraArgs: one.extraArgs,
        }));
        expect(config.commands).toEqual(meant);
        expect(config.activeResponses).toMatchObject(
          named.map(({ command: { name, timeoutAllowed }, location, level, ruleIds, timeout }) => ({
            command: meant.find((one) => one.name === name),
            disabled: false,
            location: location.toLowerCase(),
            level,
            ruleIds: [...ruleIds],
            timeoutSeconds: timeoutAllowed && timeout > 0 ? timeout : undefined,
          })),
        );
      }),
      { numRuns },
    );
  });
});

describe('ar.conf', () => {
  const entry = fc.record({
    name: fc.stringMatching(/^[a-z][a-z0-9_-]{0,20}$/),
    executable: fc.stringMatching(/^[a-z][a-z0-9_.-]{0,20}$/),
    timeoutSeconds: fc.integer({ min: 0, max: 10_000_000 }),
  });
  const line = fc.oneof(
    entry.map((one) => ({
      entry: one,
      text: `${one.name} - ${one.executable} - ${one.timeoutSeconds}`,
      remark: false,
    })),
    fc
      .constantFrom('', '# a comment', '   ')
      .map((text) => ({ entry: undefined, text, remark: false })),
    fc
      .constantFrom(
        'x',
        'x - y',
        '!x - y - 5',
        'x - ../y - 5',
        'x - y - soon',
        ' -  - 5',
        'x - .y - 5',
      )
      .map((text) => ({ entry: undefined, text, remark: true })),
  );

  test('means the lines that are such, in their order, whatever stands between them', () => {
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 40 }),
        fc.constantFrom('\n', '\r\n'),
        (lines, end) => {
          const { entries, remarks } = parseArConf(
            lines.map(({ text }) => `${text}${end}`).join(''),
          );
          expect(entries).toEqual(lines.flatMap((one) => one.entry ?? []));
          const wrong = lines.flatMap((one, index) => (one.remark ? [index + 1] : []));
          expect(remarks.map((one) => one.line)).toEqual(wrong.slice(0, 20));
        },
      ),
      { numRuns },
    );
  });
});
