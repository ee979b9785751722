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
is 'values and files' "$("$build/nextcache" complete warm --from '' | cut -f1 | tr '\n' ' ')" 'prerender-manifest sitemap top :file '
is 'a directory' "$("$build/nextcache" complete ls --dir '')" ':file'
is 'options common to all' "$(complete_words stats --no)" '--no-color'
is 'nothing of a command that does not exist' "$(complete_words nonsense --)" ''
is 'nothing is done meanwhile' "$(complete_words clear --all --force --; ls -A "$work")" \
  "$(complete_words clear --all --force --)"

# The same in the other shells, asked as a user asks them: by a key.
PATH=$build:$PATH
if command -v fish >/dev/null; then
  in_fish() { HOME=$work fish --no-config -c "source $root/src/cli/completion.fish; complete -C '$1'" 2>&1; }
  is 'fish: a command, and what it does' "$(in_fish 'nextcache verif')" \
    "verify	$("$build/nextcache" --help | sed -n 's/^  verify *//p')"
  is 'fish: an option' "$(in_fish 'nextcache ls --pre' | cut -f1)" '--prefix'
  is 'fish: values' "$(in_fish 'nextcache ls --sort ' | cut -f1 | sort | tr '\n' ' ')" 'age key life size '
  touch paths-of-mine
  has 'fish: files' "$(in_fish 'nextcache warm --from paths-o')" 'paths-of-mine'
else
  ok 'fish # SKIP it is not there'
fi
if command -v zsh >/dev/null; then
  mkdir -p functions && cp "$root/src/cli/completion.zsh" functions/_nextcache
  cat >type.zsh <<'...'
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "fpath=($PWD/functions \$fpath); autoload -Uz compinit; compinit -u -d $PWD/dump; PS1=ready%#; LISTMAX=999; cd $PWD"
zpty -w shell "echo beg''un"
zpty -r shell out '*begun*'
zpty -w -n shell "$1"$'\t'
# Until it is there, or surely will not be: this machine may be busy.
seen=''
until [[ ${seen//[$'\r\b\a']/} = *$2* ]] || ((SECONDS > 30)); do
  zpty -r -t shell chunk && seen+=$chunk || sleep 0.05
done
print -r -- "$seen"
zpty -d shell
...
in_zsh() { TERM=dumb timeout 60 zsh -f type.zsh "$@" 2>&1 | tr -d '\r\b\a'; }
  has 'zsh: a command is completed' "$(in_zsh 'nextcache verif' 'nextcache verify')" 'nextcache verify'
  has 'zsh: an option' "$(in_zsh 'nextcache ls --pre' --prefix)" '--prefix'
  has 'zsh: values' "$(in_zsh 'nextcache ls --sort l' '--sort life')" '--sort life'
  has 'zsh: options with what they do' "$(in_zsh 'nextcache ls --' 'only what is stale')" '--stale +-- only what is stale'
  has 'zsh: files' "$(in_zsh 'nextcache warm --from paths-o' paths-of-mine)" 'paths-of-mine'
else
  ok 'zsh # SKIP it is not there'
fi
if command -v man >/dev/null; then
  is 'the page has no errors' "$(man --warnings -l "$root/docs/nextcache.1" 2>&1 >/dev/null | head -n 3)" ''
elif command -v groff >/dev/null; then
  is 'the page has no errors' "$(groff -man -ww -z "$root/docs/nextcache.1" 2>&1 | head -n 3)" ''
else
  ok 'the page has no errors # SKIP neither man nor groff'
fi
