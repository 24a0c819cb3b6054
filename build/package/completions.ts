/** What shells complete, made of what --help is made of. */
import { type Command, commandWords, commonOptions, type Word } from './words.ts';

/** Path in a package → text. */
export function completionFiles(): [path: string, text: string][] {
  const commands = commandWords();
  return [
    ['/usr/share/bash-completion/completions/ar-exec', bash(commands)],
    ['/usr/share/zsh/vendor-completions/_ar-exec', zsh(commands)],
    ['/usr/share/fish/vendor_completions.d/ar-exec.fish', fish(commands)],
  ];
}

const flag = ({ name }: Word): string => `--${name}`;
const all = ({ options }: Command): readonly Word[] => [...options, ...commonOptions];

function bash(commands: readonly Command[]): string {
  const cases = commands.map((one) => {
    const [first] = one.positionals;
    return `	${one.name})
		options='${all(one).map(flag).join(' ')}'
		words='${(first?.choices ?? []).join(' ')}'
		;;`;
  });
  const values = commands.flatMap((one) =>
    all(one)
      .filter(({ choices }) => choices.length > 0)
      .map((option) => `	${one.name}${flag(option)}) words='${option.choices.join(' ')}' ;;`),
  );
  const withValue = unique(commands.flatMap(all).filter(({ value }) => value)).map(flag);
  return `# bash completion for ar-exec

_ar_exec()
{
	local current previous command='' options='' words='' index
	current=\${COMP_WORDS[COMP_CWORD]}
	previous=\${COMP_WORDS[COMP_CWORD-1]}
	COMPREPLY=()
	for ((index = 1; index < COMP_CWORD; index++)); do
		case \${COMP_WORDS[index]} in
		${withValue.join(' | ')}) ((index++)) ;;
		-*) ;;
		*) command=\${COMP_WORDS[index]} && break ;;
		esac
	done
	case $command in
	'')
		words='${commands.map(({ name }) => name).join(' ')}'
		options='${commonOptions.map(flag).join(' ')}'
		;;
${cases.join('\n')}
	esac
	case $previous in
	${withValue.join(' | ')})
		words=''
		case $command$previous in
${values.map((line) => `	${line}`).join('\n')}
		*) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
		esac
		options=''
		;;
	esac
	if [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
	elif [[ -n $words ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
	fi
}

complete -F _ar_exec ar-exec
`;
}

function zsh(commands: readonly Command[]): string {
  const option = (one: Word) => {
    const value = !one.value
      ? ''
      : `:${one.name}:${one.choices.length > 0 ? `(${one.choices.join(' ')})` : '_files'}`;
    return `'--${one.name}[${inZsh(one.describe)}]${value}'`;
  };
  const cases = commands.map((one) => {
    const positionals = one.positionals.map(
      ({ name, choices }) => `'1:${name}:${choices.length > 0 ? `(${choices.join(' ')})` : ' '}'`,
    );
    const specs = [...positionals, ...all(one).map(option)];
    return `	${one.name})\n		_arguments \\\n${specs.map((spec) => `			${spec}`).join(' \\\n')}\n		;;`;
  });
  return `#compdef ar-exec

_ar_exec() {
	local -a commands
	commands=(
${commands.map(({ name, describe }) => `		'${name}:${inZsh(describe)}'`).join('\n')}
	)
	local context state line
	_arguments -C \\
${commonOptions.map((one) => `		${option(one)}`).join(' \\\n')} \\
		'1:command:->command' \\
		'*::word:->words'
	case $state in
	command) _describe command commands ;;
	words)
		case $line[1] in
${cases.map((text) => text.replaceAll(/^/gm, '\t')).join('\n')}
		esac
		;;
	esac
}

_ar_exec "$@"
`;
}

function fish(commands: readonly Command[]): string {
  const names = commands.map(({ name }) => name).join(' ');
  const line = (condition: string, { name, describe, value, choices }: Word) => {
    const takes = !value ? '' : choices.length > 0 ? ` -x -a '${choices.join(' ')}'` : ' -r';
    return `complete -c ar-exec${condition} -l ${name}${takes} -d '${inFish(describe)}'`;
  };
  const first = ` -n 'not __fish_seen_subcommand_from ${names}'`;
  return `${[
    '# fish completion for ar-exec',
    'complete -c ar-exec -f',
    ...commonOptions.map((one) => line('', one)),
    ...commands.flatMap((one) => {
      const seen = ` -n '__fish_seen_subcommand_from ${one.name}'`;
      const words = one.positionals.flatMap(({ choices }) => choices);
      return [
        `complete -c ar-exec${first} -a ${one.name} -d '${inFish(one.describe)}'`,
        ...(words.length > 0 ? [`complete -c ar-exec${seen} -a '${words.join(' ')}'`] : []),
        ...one.options.map((option) => line(seen, option)),
      ];
    }),
  ].join('\n')}\n`;
}

function unique(words: readonly Word[]): Word[] {
  return [...new Map(words.map((one) => [one.name, one])).values()];
}

function inZsh(text: string): string {
  return text.replaceAll("'", "'\\''").replaceAll(/[[\]:]/g, (one) => `\\${one}`);
}

function inFish(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
}
