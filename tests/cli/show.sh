# show: one entry by key, path or id.
fill <<'...' >/dev/null
put 1 p:b1:/route-cache/APP_PAGE/3f/$/shop/a 5000 shop,a 50 60 3600
put 1 p:b1:/twice 10 - 0 - -
put 1 p:b2:/twice 10 - 0 - -
text 4 u:b1:["c0ffee",["a-secret"],["b1"]] hello\x1b[2J
mark a -
...
nc show --dir "$dir" 'p:b1:/route-cache/APP_PAGE/3f/$/shop/a' --json
is 'by key' "$code $(json .state)" '0 stale'
is 'why' "$(json .why)" 'the tag "a" was marked after it was made'
is 'its times' "$(json '[.revalidate_ms, .expire_ms] | @csv')" '60000,3600000'
is 'its tags' "$(json '.tags | map(.tag) | join(" ")')" 'shop a'
is 'and when they were marked' "$(json '.tags | map(.stale_ms > 0) | @csv')" 'false,true'
is 'its parts' "$(json '.parts | @csv')" 5000
id=$(json .id)
nc show --dir "$dir" /shop/a
has 'by path' "$code $out" '^0 key +p:b1:/route-cache'
has 'state in words' "$out" '^state +stale: the tag "a" was marked'
nc show --dir "$dir" "$id"
has 'by id' "$code $out" '^0 key +p:b1:/route-cache'
nc show --dir "$dir" /twice
has 'a path that two builds have' "$code $err" '^1 nextcache: 2 entries are called "/twice"'
nc show --dir "$dir" /nothing
is 'one that is not there' "$code $err" '3 nextcache: there is no entry "/nothing"; see nextcache ls'
nc show --dir "$dir"
is 'no key' $code 2
nc show --dir "$dir" c0ffee --body
is '--body is the bytes as they are' "$out" $'hello\033[2J'
screen=$(script -qec "$build/nextcache show c0ffee --body --dir $dir" /dev/null </dev/null)
hasnt 'but not on a terminal' "$screen" $'\033\\[2J'
nc show --dir "$dir" c0ffee --body --part 7
is 'a part that is not there' "$code" 3
