# Completion of nextcache for bash; installed where bash-completion looks for it.
# The tool itself says what a word may become, so it is always what it has.

_nextcache() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
    :file) compopt -o filenames -o default 2>/dev/null ;;
    *) COMPREPLY+=("${line%%$'\t'*}") ;;
    esac
  done < <("${COMP_WORDS[0]}" complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _nextcache nextcache
