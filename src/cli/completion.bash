# Completion of nextcache for bash; installed where bash-completion looks for it.
# Commands and options are asked of the tool, so they are always those it has.

_nextcache() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  local tool=${COMP_WORDS[0]} command=${COMP_WORDS[1]} words=''
  if [ "$COMP_CWORD" = 1 ]; then
    words="--help --version $("$tool" --help 2>/dev/null | sed -nE 's/^  ([a-z][a-z-]*) .*/\1/p')"
  else
    case $before in
    --dir | --dist | --from) compopt -o filenames -o default; return ;;
    --class) words='pages routes fetches use-cache images other' ;;
    --symptom) words='build module stale memory' ;;
    --type) words='page layout' ;;
    --sort) words=$("$tool" "$command" --help 2>/dev/null |
      sed -nE 's/^ +--sort ORDER +//p' | sed -E 's/\([^)]*\)//g; s/,| or / /g') ;;
    *) words=$("$tool" "$command" --help 2>/dev/null | sed -nE 's/^  (--[a-z-]+).*/\1/p') ;;
    esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _nextcache nextcache
