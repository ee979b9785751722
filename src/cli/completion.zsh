#compdef nextcache
# Completion of nextcache for zsh; installed as _nextcache where zsh looks for it.
# The tool itself says what a word may become, so it is always what it has.

_nextcache() {
  local line files
  local -a found
  for line in "${(@f)$("${words[1]}" complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
    :file) files=1 ;;
    ?*) found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
    esac
  done
  (( $#found )) && _describe -t values nextcache found
  [[ -n $files ]] && _files
}
_nextcache "$@"
