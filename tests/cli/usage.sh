# Wrong arguments, and directories that hold nothing, or nothing that can be read.
nc
is 'no command: exit code' $code 2
nc --help
is 'help: exit code' $code 0
for command in $(sed -nE 's/^  ([a-z][a-z-]*) .*/\1/p' <<<"$out"); do
  nc "$command" --help
  is "$command --help" "$code $(head -c 16 <<<"$out")" '0 usage: nextcache'
  nc "$command" --no-such-option
  is "$command with an unknown option: exit code" $code 2
  is "$command with an unknown option: one line" "$(wc -l <<<"$err")" 1
  nc "$command" --dir
  is "$command --dir without a value" "$code $(grep -c 'needs a value' <<<"$err")" '2 1'
done
nc --version
has 'the version' "$out" '^nextcache [0-9]+\.[0-9]+\.[0-9]+$'
nc nonsense
is 'an unknown command' "$code $err" '2 nextcache: there is no command nonsense; see nextcache --help'
nc ls --class nonsense
has 'a class that does not exist names those that do' "$code $err" '^2 .*pages, routes'
nc ls --sort nonsense
has 'an order that does not exist names those that do' "$code $err" '^2 .*age, size'
nc ls something
is 'operands that nobody wants' $code 2
nc ls --limit many
has 'a number that is none' "$code $err" '^2 .*whole number'
# As of a variable in a script that is not set: it must not mean everything.
nc clear --prefix '' --dir "$work"
is 'an empty value' "$code $err" '2 nextcache: clear: --prefix is ""; it should be some text'
nc stats --dir ''
is 'an empty directory' "$code $err" '2 nextcache: stats: --dir is ""; it should be some text'
nc invalidate ''
is 'an empty tag' "$code $err" '2 nextcache: invalidate: a tag is empty'
is 'an output that is full' "$("$build/nextcache" --help 2>&1 >/dev/full; echo $?)" $'nextcache: cannot write the output: No space left on device\n4'
# What is closed must not become the number of a file of the cache, which would be written into.
# A listing of more than a buffer holds is written while they are open.
fill <<<'many 300 100 t'
for command in ls 'ls --json' 'show /many/1' 'invalidate u'; do
  for closed in '>&-' '2>&-' '<&- >&- 2>&-'; do
    eval "\"$build/nextcache\" $command --dir \"$dir\" $closed" 2>"$scratch/err" >"$scratch/out"
    code=$?
    wanted=4
    [ "$closed" != '2>&-' ] || wanted=0
    is "$command $closed" $code $wanted
    nc ls --dir "$dir"
    has 'leaves the cache as it was' "$code $out" '/many/299$'
  done
done
rm -rf "$dir"

# Each command that is about a cache, in a word: doctor and recover, which say what is
# wrong as a part of what they find, come after. check-build is about none, and the
# dashboard shows one that comes later (tests/dashboard).
reading='stats stats#--json ls ls#--json tags tags#--json tags#--reasons#--json verify verify#--json metrics show#x show#x#--json warm#--memory warm#--url#http://127.0.0.1:1#--from#top'
changing='invalidate#x clear#--app resize#32MB'
for command in $reading $changing; do
  command=${command//#/ }
  nc $command --dir "$work/nowhere"
  is "$command: a missing directory" "$code $err" \
    "3 nextcache: $work/nowhere: there is no such directory (from --dir); the first start of a server makes it"
  is "$command: it is not made, and nothing is on stdout" "$(ls "$work")$out" ''
done

mkdir -p "$work/newer/v7"
for command in $reading $changing; do
  command=${command//#/ }
  nc $command --dir "$work/newer"
  has "$command: a newer format" "$code $err" '^4 nextcache: .*format 7.*reads format 1'
  is "$command: it is left alone" "$(ls "$work/newer")" 'v7'
done

for command in doctor recover; do
  nc $command --dir "$work/nowhere"
  has "$command: a missing directory" "$out" "$work/nowhere: there is no such directory"
  nc $command --dir "$work/newer"
  has "$command: a newer format" "$out" 'format 7.*reads format 1'
  is "$command: a newer format is a problem" "$((code == 1 || code == 4))" 1
  is "$command: neither is touched" "$(ls "$work" "$work/newer" | tr '\n' ' ')" "$(ls "$work" | sed "1i $work:" | tr '\n' ' ') $work/newer: v7 "
done

mkdir -p "$work/file" && touch "$work/file/v1"
nc stats --dir "$work/file"
has 'a file in the place of the cache' "$code $err" "^4 nextcache: $work/file: v1: Not a directory; move away what stands there$"
is 'and one line' "$(wc -l <<<"$err")" 1

fill <<<'put 1 p:b:/a 100 - 0 - -'
head -c 5000 /dev/urandom | dd of="$dir/v1/index" conv=notrunc status=none
nc stats --dir "$dir"
has 'a damaged index' "$code $err" '^4 nextcache: .*index .*is damaged; .*; nextcache recover does that now$'
rm -rf "$dir"

# What is empty is JSON, too; and what found a problem.
fill </dev/null
mkdir -p empty
for command in stats ls tags tags#--reasons verify doctor check-build; do
  (cd empty && nc ${command//#/ } --json --dir "$dir" && printf '%s\n' "$code $(jq -se length <<<"$out" 2>&1)") >said
  has "$command --json of an empty cache: one value" "$(cat said)" '^[01] 1$'
done
rm -rf "$dir" empty

# Read-only: only another file system is that for root.
fill <<<'put 1 p:b:/a 100 - 0 - -'
if mount --bind "$dir" "$dir" 2>/dev/null && mount -o remount,ro,bind "$dir" 2>/dev/null; then
  for command in $reading $changing; do
    command=${command//#/ }
    nc $command --dir "$dir"
    has "$command: a read-only one" "$code $err" '^4 nextcache: .*Read-only file system; it should be mounted writable$'
  done
  umount "$dir"
  nc ls --dir "$dir"
  has 'nothing of it is lost' "$out" '/a$'
else
  ok 'a read-only one # SKIP no mounts here'
fi
rm -rf "$dir"

# As root on another user's cache, what is made belongs to that user.
if [ "$(id -u)" = 0 ]; then
  fill <<<'put 1 p:b:/a 100 t 0 - -'
  chown -R 4711:4712 "$dir"
  chmod 755 "$scratch" "$work"
  nc ls --dir "$dir"
  has 'root reads the cache of another user' "$out" '/a$'
  nc clear --app --dir "$dir"
  is 'root clears it as that user' "$code" 0
  is 'and what is made anew is his' "$(find "$dir/v1" ! -uid 4711 | wc -l)" 0
else
  ok 'the cache of another user # SKIP not root'
fi
rm -rf "$dir"

# Where the cache is.
mkdir -p project/src && touch project/package.json && cd project/src || exit 2
nc stats
is 'the default is .cache/nextcache at the root of the project' "$err" \
  "nextcache: $work/project/.cache/nextcache: there is no such directory (from the default); the first start of a server makes it"
echo 'export NEXT_CACHE_DIR="from dotenv" # why not' >../.env.production
nc stats
is '.env.production counts' "$err" "nextcache: $work/project/from dotenv: there is no such directory (from .env.production); the first start of a server makes it"
expands() { # WHAT TEXT DIRECTORY
  printf '%s\n' 'BASE=/base' "$2" >../.env.production
  nc stats
  has ".env.production: $1" "$err" "^nextcache: $3: there is no such directory"
}
# shellcheck disable=SC2016
{
  expands 'a variable' 'NEXT_CACHE_DIR=$BASE/a' /base/a
  expands 'in braces, and one more' 'NEXT_CACHE_DIR=${BASE}/${BASE}a' /base//basea
  expands 'of the environment' 'NEXT_CACHE_DIR=${PWD}/a' "$PWD/a"
  expands 'in quotes' 'NEXT_CACHE_DIR="$BASE/a b"' '/base/a b'
  expands 'another value' 'NEXT_CACHE_DIR=${NOWHERE:-/else}/a' /else/a
  expands 'a dollar sign' 'NEXT_CACHE_DIR=/a\$b' '/a\$b'
  expands 'what is no variable' 'NEXT_CACHE_DIR=/a$/b' '/a\$/b'
  expands 'one that is made of itself' 'NEXT_CACHE_DIR=/a$NEXT_CACHE_DIR' /a
  SELF='$SELF' expands 'nor does the environment lead round in circles' 'NEXT_CACHE_DIR=/a${SELF}' '/a\$SELF'
  expands 'in backticks' 'NEXT_CACHE_DIR=`/a b`' '/a b'
  expands 'with a colon' 'NEXT_CACHE_DIR: /a' /a
}
rm ../.env.production
echo 'NEXT_CACHE_DIR=local' >../.env.local
nc stats
is '.env.local is stronger' "$err" "nextcache: $work/project/local: there is no such directory (from .env.local); the first start of a server makes it"
export NEXT_CACHE_DIR=/from/environment
nc stats
is 'the environment is stronger' "$err" 'nextcache: /from/environment: there is no such directory (from the environment); the first start of a server makes it'
nc stats --dir given
is '--dir is the strongest, and relative to where it is said' "$err" \
  'nextcache: given: there is no such directory (from --dir); the first start of a server makes it'
unset NEXT_CACHE_DIR
cd "$work" || exit 2
