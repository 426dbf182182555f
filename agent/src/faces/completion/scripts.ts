/**
 * Completion for shells: a few lines each that ask the program itself. The line goes through the environment, because it
 * may hold a password and a command line is everybody's to read.
 */

/** The script of a shell, to be sourced. */
export function completionScript(shell: "bash" | "zsh" | "fish"): string {
  return { bash, zsh, fish }[shell];
}

/** bash takes = and : for the ends of words: what stands before them in a word is taken off each candidate. */
const bash = `# db-agent completion for bash: source <(db-agent completion bash)
_db_agent() {
  local line="\${COMP_LINE:0:COMP_POINT}" cur="\${COMP_WORDS[COMP_CWORD]}" word value rest
  [[ $cur == = || $cur == : ]] && cur=""
  word="\${line##*[[:space:]]}"
  local prefix="\${word%"$cur"}"
  COMPREPLY=()
  while IFS=$'\\t' read -r value rest; do
    if [[ $value == :files ]]; then
      compopt -o filenames 2>/dev/null || true
      while IFS= read -r value; do COMPREPLY+=("$value"); done < <(compgen -f -- "$cur")
    elif [[ -n $value && $value == "$word"* ]]; then
      COMPREPLY+=("\${value#"$prefix"}")
    fi
  done < <(DB_AGENT_COMPLETE_LINE="$line" "\${COMP_WORDS[0]}" __complete 2>/dev/null)
  if [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *= ]]; then compopt -o nospace 2>/dev/null || true; fi
}
complete -F _db_agent db-agent
`;

const zsh = `#compdef db-agent
# db-agent completion for zsh: source <(db-agent completion zsh)
_db_agent() {
  local line value rest
  local -a values
  while IFS=$'\\t' read -r value rest; do
    if [[ $value == :files ]]; then
      _files
    elif [[ -n $value ]]; then
      values+=("\${value//:/\\\\:}\${rest:+:$rest}")
    fi
  done < <(DB_AGENT_COMPLETE_LINE="\${(j: :)words[1,CURRENT-1]} $PREFIX" "\${words[1]}" __complete 2>/dev/null)
  (( \${#values} )) && _describe 'db-agent' values
}
if [[ "\${funcstack[1]}" == _db_agent ]]; then _db_agent "$@"; else compdef _db_agent db-agent; fi
`;

const fish = `# db-agent completion for fish: db-agent completion fish | source
function __db_agent_complete
    set -lx DB_AGENT_COMPLETE_LINE (commandline -cp)
    set -l command (commandline -opc)[1]
    for candidate in ($command __complete 2>/dev/null)
        if test "$candidate" = ":files"
            __fish_complete_path (commandline -ct)
        else
            echo $candidate
        end
    end
end
complete -c db-agent -f -a '(__db_agent_complete)'
`;
