# The manual and the completion know every command and every option.
root=$(cd "$here/../.." && pwd)
page=$(sed 's/\\-/-/g; s/\\f[BIR]//g' "$root/docs/nextcache.1")
nc --help
commands=$(sed -nE 's/^  ([a-z][a-z-]*) .*/\1/p' <<<"$out")
. "$root/src/cli/completion.bash"
complete_words() { # WORD...: what completes the last one
  COMP_WORDS=("$build/nextcache" "$@") COMP_CWORD=$#
  COMPREPLY=()
  _nextcache
  echo "${COMPREPLY[*]}"
}
for command in $commands; do
  entry=$(awk -v c="$command" '/^\.(TP|SS|SH)/ {on = 0} $1 == ".BR" && ($2 == c || $2 == "\"" c "\"") {on = 1} on' <<<"$page")
  has "$command has its entry" "$entry" "$command"
  nc "$command" --help
  for option in $(sed -nE 's/^  --([a-z-]+).*/\1/p' <<<"$out" | grep -vxE 'dir|no-color|help'); do
    has "$command --$option is in it" "$entry" "(^|[^a-z-])--$option([^a-z-]|$)"
  done
  is "$command is completed" "$(complete_words "${command%?}" | tr ' ' '\n' | grep -cx "$command")" 1
done
is 'an option is completed' "$(complete_words ls --pre)" '--prefix'
is 'the values of --class' "$(complete_words ls --class u)" 'use-cache'
is 'the values of --sort' "$(complete_words ls --sort s)" 'size'
is 'those of another command' "$(complete_words tags --sort m)" 'mark'
if command -v man >/dev/null; then
  is 'the page has no errors' "$(man --warnings -l "$root/docs/nextcache.1" 2>&1 >/dev/null | head -n 3)" ''
elif command -v groff >/dev/null; then
  is 'the page has no errors' "$(groff -man -ww -z "$root/docs/nextcache.1" 2>&1 | head -n 3)" ''
else
  ok 'the page has no errors # SKIP neither man nor groff'
fi
