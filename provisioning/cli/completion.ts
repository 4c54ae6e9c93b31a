import type { Command } from 'commander';

/** A bash completion script (zsh reads it after `autoload bashcompinit`), made from the commands themselves. */
export function completionScript(program: Command): string {
  const cases = casesOf(program, program.name());
  return `# source <(portal completion)
_portal() {
  local word path=portal cur=\${COMP_WORDS[COMP_CWORD]}
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path $word" in
      ${cases.map(({ path }) => `"${path}"`).join(' | ')}) path="$path $word" ;;
    esac
  done
  case "$path" in
${cases.map(({ path, words }) => `    "${path}") COMPREPLY=($(compgen -W "${words}" -- "$cur")) ;;`).join('\n')}
  esac
}
complete -o default -F _portal portal
`;
}

function casesOf(command: Command, path: string): { path: string; words: string }[] {
  const words = [
    ...command.commands.map((sub) => sub.name()),
    ...command.options.flatMap(({ long }) => (long ? [long] : [])),
    '--json',
    '--help',
  ];
  return [
    { path, words: [...new Set(words)].join(' ') },
    ...command.commands.flatMap((sub) => casesOf(sub, `${path} ${sub.name()}`)),
  ];
}
