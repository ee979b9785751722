# clear: the cache, parts of it, the build output; nothing else.
some='put 1 p:b:/a 100 shop,a 0 - -
put 1 p:b:/b 100 shop 0 - -
put 3 f:https://x 100 prices 100 60 -
put 4 u:b:1 100 - 0 - -'
names() { nc ls --dir "$dir" --json; json 'map(.name) | sort | join(" ")'; }

mkdir project && cd project && touch package.json || exit 2
dir=$work/project/.cache/nextcache
fill 64 <<<"$some"
nc clear --dry-run --app
has '--dry-run' "$code $out" '^0 cache: would remove 4 entries'
is 'removes nothing' "$(names)" '/a /b 1 https://x'
nc clear --class fetches --dry-run
has 'a selection' "$out" 'would remove 1 entry,'
nc clear --class fetches
has 'is removed' "$code $out" '^0 cache: removed 1 entry, '
is 'and nothing else' "$(names)" '/a /b 1'
nc clear --tag a
is '--tag' "$(names)" '/b 1'
nc clear --prefix /b
is '--prefix' "$(names)" '1'
nc clear --tag nothing
is 'a selection that fits nothing' "$code $(names)" '0 1'
nc clear
is 'without a word and without a terminal nothing is removed' "$code $(names)" '2 1'
answer=$(printf 'n\n' | script -qec "$build/nextcache clear" /dev/null)
has 'on a terminal it says what' "$answer" 'would remove 1 entry,'
is 'and no is no' "$(names)" '1'
answer=$(printf 'y\n' | script -qec "$build/nextcache clear" /dev/null)
is 'and yes is yes' "$(names)" ''

serve_begin 64
tell put 1 p:b:/live 10 - 0 - -
tell get 1 p:b:/live
is 'a live process has an entry' "$answer" hit
nc clear --app
is '--app under a live process' "$code" 0
tell get 1 p:b:/live
is 'which sees it at once' "$answer" miss
tell put 1 p:b:/live 10 - 0 - -
nc clear --prefix /live
tell get 1 p:b:/live
is 'also that of a part' "$answer" miss
nc stats --json
is 'the bound stays what it was' "$(json .cache.limit_bytes)" $((64 << 20))
serve_end

# Ended in the middle of it: what is there is a cache, or none, and the next one works.
bad=''
for i in $(seq 30); do
  fill 64 <<<"$some"
  "$build/nextcache" clear --app >/dev/null 2>&1 &
  sleep "0.00$((i % 10))"
  kill -9 $! 2>/dev/null
  wait $! 2>/dev/null
  nc verify
  [ $code = 0 ] || [ $code = 3 ] || bad+="verify $code: $err; "
  printf 'put 1 p:b:/after 10 - 0 - -\nget 1 p:b:/after\n' | fill 64
  [ "$(tail -n 1 "$scratch/filled")" = hit ] || bad+="no hit in round $i; "
done
is 'a clear that is killed leaves a cache that works' "$bad" ''
nc clear --app

# On a disk that is full there is room for the new index only when the old one is gone, and
# what the build prerendered must not come back to life.
mkdir full
if mount -t tmpfs -o size=12m tmpfs full 2>/dev/null; then
  dir=$PWD/full/cache
  echo 'many 3000 1000 t' | fill 8
  cat /dev/zero >full/rest 2>/dev/null
  nc clear --app --dir "$dir"
  has 'on a full disk' "$code $out" '^0 cache: removed 2 [0-9]+ entries'
  nc stats --json --dir "$dir"
  is 'nothing from before is believed' "$(json '.cache.floor_ms > 1700000000000')" true
  dir=$work/project/.cache/nextcache
  umount full
else
  ok 'on a full disk # SKIP no mounts here'
fi
rmdir full

# ---- the build output
make_build() { mkdir -p .next/server .next/static && echo id >.next/BUILD_ID && echo x >.next/server/a; }
make_build
fill 64 <<<"$some"
nc clear --build --dry-run
has '--build --dry-run' "$code $out" "^0 build output: would remove 2 files.*$PWD/.next"
is 'removes nothing' "$(cat .next/BUILD_ID)" id
nc clear --build
has '--build' "$code $out" '^0 build output: removed 2 files'
is 'the output is gone' "$(ls -d .next 2>&1 | grep -c 'No such')" 1
is 'the cache is not' "$(names)" '/a /b 1 https://x'
nc clear --build
has 'none is fine' "$code $out" '^0 build output: there is none'
make_build
nc clear --all
is '--all' "$code $(names) $(ls -d .next 2>/dev/null)" '0  '

mkdir -p outside && echo precious >outside/file
make_build
ln -s "$PWD/outside" .next/link
nc clear --build
is 'a link inside is removed, what it names is not' "$code $(cat outside/file)" '0 precious'
ln -s outside .next
nc clear --build
has 'a link in its place is refused' "$code $err" '^4 .*link'
is 'and left' "$(cat outside/file)" precious
rm .next
mkdir "$work/stranger" && echo id >"$work/stranger/BUILD_ID"
nc clear --build --dist ../stranger
has 'nothing outside of the project' "$code $err" '^2 .*not a directory inside'
ln -s "$work" up
nc clear --build --dist up/stranger
has 'also not by a link' "$code $err" '^2 .*not a directory inside'
nc clear --build --dist .
is 'not the project itself' $code 2
nc clear --build --dist ..
is 'nor what is above' $code 2
is 'it is still there' "$(cat "$work/stranger/BUILD_ID")" id
mkdir src && echo code >src/file
nc clear --build --dist src
has 'a directory that is no build output' "$code $err" '^1 .*does not look like'
is 'is left' "$(cat src/file)" code

nc clear --build --dist "$PWD/.next"
has 'none at an absolute path' "$code $out" "^0 build output: there is none: $PWD/\.next$"
make_build
nc clear --build --dist "$PWD/.next"
is 'an absolute path' "$code $(ls -d .next 2>/dev/null)" '0 '
make_build
nc clear --build --dist .next/
is 'as a shell completes it' "$code $(ls -d .next 2>/dev/null)" '0 '
for slip in ./ ../; do
  nc clear --build --dist $slip
  is "not $slip" "$code $(cat src/file)" '2 code'
done

make_build
next_begin
nc clear --build
has 'a build that a process serves' "$code $err" "^1 nextcache: process $next works with this build: next-server"
is 'stays' "$(cat .next/BUILD_ID)" id
mkdir -p .next/standalone/apps/web
(cd .next/standalone/apps/web && next_begin && echo "$next" >"$work/inside")
nc clear --build
is 'also one that works inside of it' "$(grep -c "process $(cat "$work/inside") works" <<<"$err")" 1
kill "$(cat "$work/inside")"
nc clear --build --force
is '--force' "$code $(ls -d .next 2>/dev/null)" '0 '
next_end

# Names differ where a container has the project under another one; the directory is the same.
make_build
mkdir -p "$work/mounted"
if mount --bind . "$work/mounted" 2>/dev/null; then
  cd "$work/mounted" && next_begin && cd "$OLDPWD" || exit 2
  nc clear --build
  has 'a process that knows the project by another name' "$code $err" "^1 nextcache: process $next works"
  next_end
  umount -l "$work/mounted"
else
  ok 'a process that knows the project by another name # SKIP no mounts here'
fi
(cd "$work" && next_begin && echo "$next" >elsewhere)
nc clear --build --dry-run
is 'one that works elsewhere is none' "$code $err" '0 '
kill "$(cat "$work/elsewhere")"

# Of another user's process it is not to be seen where it works.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  chmod 755 "$scratch" "$work" .
  chown -R 65534:65534 .next
  cp "$build/nextcache" "$work/nextcache"
  stranger() { setpriv --reuid=65534 --regid=65534 --clear-groups "$work/nextcache" "$@" 2>&1; }
  next_begin
  has 'who owns the cache is taken for who serves' "$(stranger clear --build --dry-run)" "process $next works with this build"
  rm -rf .cache
  hasnt 'and nobody else' "$(stranger clear --build --dry-run)" "process $next works"
  next_end
else
  ok 'processes of another user # SKIP not root'
fi
rm -rf .next

if [ "$(id -u)" = 0 ]; then
  make_build
  chown -R 4711:4711 .next
  install -d -o root -m 755 .next/server/roots
  touch .next/server/roots/file
  nc clear --build
  is 'as root it is removed with the rights of its owner' "$code $(ls .next/server/roots)" '4 file'
  rm -rf .next
fi
cd "$work" || exit 2

# Nor does a path speak to a terminal.
dir=$work/$'evil\033[2J'
fill <<<'put 1 p:b:/a 10 - 0 - -'
mkdir -p $'out\033[2J/static'
nc clear --all --dry-run --dir "$dir" --dist $'out\033[2J'
has 'a name of a cache is shown' "$out" '^cache: would remove 1 entry.*evil\\x1b\[2J'
has 'and of a build output' "$out" '^build output: would remove 0 files.*out\\x1b\[2J'
hasnt 'as text' "$out" $'\033'
