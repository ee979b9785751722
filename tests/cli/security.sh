# security: what docs/security.md says and no other test shows; and that the tests which
# it names exist.
root=$(cd "$here/../.." && pwd)
named=0
while IFS='|' read -r file test; do
  named=$((named + 1))
  if [ -f "$root/$file" ] && grep -qF -- "$test" "$root/$file"; then
    ok "$file has: $test"
  else
    not_ok "$file has: $test" 'docs/security.md names it'
  fi
done < <(grep -oE '`tests/[a-z0-9/_.-]+: [^`]+`' "$root/docs/security.md" | tr -d '`' | sed 's/: /|/')
if [ $named -ge 40 ]; then ok "$named tests are named"; else not_ok 'tests are named' "$named"; fi

# Each row of a table ends in a test.
is 'no sentence without a test' "$(grep -E '^\| ' "$root/docs/security.md" | grep -vcE '^\| (sentence|---)|`tests/')" 0

# Nobody else reads it, whatever the umask of who made it.
umask 000
fill <<<'text 1 p:b:/a private-body'
umask 022
is 'nobody else may read it' "$(find "$dir/v1" -perm /077 | wc -l)" 0
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  chmod 755 "$scratch" "$work" "$dir"
  stranger='setpriv --reuid=65534 --regid=65534 --clear-groups'
  for file in "$dir"/v1 "$dir"/v1/index "$dir"/v1/data-*; do
    if $stranger cat "$file" >/dev/null 2>&1; then not_ok 'a stranger reads' "$file"; else ok "a stranger cannot read $(basename "$file" | cut -c1-5)"; fi
  done
  cp "$build/nextcache" "$work/nextcache"
  told=$($stranger "$work/nextcache" ls --dir "$dir" 2>&1)
  has 'nor does the tool help a stranger' "$? $told" '^4 .*belongs to uid 0'
else
  ok 'a stranger # SKIP not root'
fi

# A process that has the cache open listens nowhere.
serve_begin
is 'a cache opens no port' "$(find "/proc/$server/fd" -lname 'socket:*' 2>/dev/null | wc -l)" 0
tell get 1 p:b:/a
is 'who may write the directory decides what is served' "$answer" hit

# What was invalidated is not served, but its bytes stay until the ring comes round.
nc clear --app --prefix /a --dir "$dir"
tell get 1 p:b:/a
is 'what was removed is not served' "$answer" miss
is 'its bytes stay in the file for a while' "$(cat "$dir"/v1/data-* | grep -c private-body)" 1
serve_end
nc clear --app --dir "$dir"
is 'clearing all removes the file' "$(cat "$dir"/v1/data-* 2>/dev/null | grep -c private-body)" 0

# Nothing of an entry speaks to a terminal, whichever command names it: not by ESC, not by
# the one-byte CSI in UTF-8, not by what turns the direction of a line.
evil='\x1b[2J\xc2\x9b2J\xe2\x80\xae\x0d\x0a'
fill <<...
put 1 p:b:/$evil 100 tag$evil 0 - -
put 4 u:b:["$evil",[1],["b"]] 100 - 0 - -
get 1 p:b:/$evil
mark tag$evil 0
put 1 p:b:/$evil 100 tag$evil 0 - -
get 1 p:b:/$evil
...
nc invalidate --dir "$dir" other --reason "$(printf "$evil")"
nc ls --dir "$dir" --json
id=$(json '.[0].id')
for command in ls 'ls --json' 'ls --full' "show $id" "show $id --json" "show $id --body" tags 'tags --json' 'tags --reasons' \
  'tags --reasons --json' stats 'stats --json' verify 'warm --url http://127.0.0.1:1 --from top' 'stats --watch --interval 0.1 --rounds 2'; do
  screen=$(NO_COLOR=1 TERM=xterm script -qec "$build/nextcache $command --dir $dir" /dev/null </dev/null)
  hasnt "${command/$id/ID}: nothing of an entry speaks to the terminal" "$screen" $'\033\\[2J|\u9b|\u202e|/\r'
done
has 'warm names what fails, as text' "$(nc warm --url http://127.0.0.1:1 --from top --dir "$dir"; echo "$err")" '^nextcache: /\\x1b\[2J'

nc metrics --help
hasnt 'a token is never an argument, which others could read' "$out" '--token [A-Z]'

# Whatever is asked, no answer names a path of the machine.
ldd "$build/nextcache" | grep -q libmicrohttpd || { ok 'answers # SKIP built without libmicrohttpd'; return; }
rm -rf "$dir"
for site in metrics dashboard; do
  "$build/nextcache" $site --dir "$dir" --listen 127.0.0.1:0 2>"$work/$site.log" &
  exporter=$!
  eventually grep -q 'on port' "$work/$site.log"
  port=$(sed -n 's/.*on port \([0-9]*\).*/\1/p' "$work/$site.log")
  answers=''
  for path in / /metrics /data.json /entries.json /nothing '/..%2f..%2fetc/passwd' '/../../etc/passwd'; do
    for method in GET POST DELETE; do
      for host in localhost evil.example; do
        exec 7<>"/dev/tcp/127.0.0.1/$port"
        printf '%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n' "$method" "$path" "$host" >&7
        answers+=$(timeout 60 cat <&7 | tr -d '\r\0')
        exec 7>&-
      done
    done
  done
  kill $exporter
  wait $exporter
  hasnt "$site: no answer names a path" "$answers" "$work|$build|/root|/home|passwd:|root:x"
  is "$site: it answered" "$(grep -c 'HTTP/1.1 200' <<<"$answers" | awk '{print ($1 > 0)}')" 1
  is "$site: strangers' names got nothing" "$(grep -c 'HTTP/1.1 421' <<<"$answers" | awk '{print ($1 > 0)}')" 1
done
