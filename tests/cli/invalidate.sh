# invalidate: live processes obey at once.
serve_begin
tell put 1 p:b:/a 10 a,_N_T_/shop/page,_N_T_/caf\xc3\xa9 0 - -
tell get 1 p:b:/a
is 'a hit to begin with' "$answer" hit
nc invalidate --dir "$dir" other
is 'another tag' "$code $out" '0 marked 1 tag dead'
tell get 1 p:b:/a
is 'changes nothing' "$answer" hit
nc invalidate --dir "$dir" other a
is 'two tags' "$code $out" '0 marked 2 tags dead'
tell get 1 p:b:/a
is 'the very next look-up is a miss' "$answer" miss

put='put 1 p:b:/a 10 a,_N_T_/shop/page,_N_T_/shop,_N_T_/café,_N_T_/ 0 - -'
again() { tell "$put"; tell get 1 p:b:/a; nc invalidate --dir "$dir" "$@"; tell get 1 p:b:/a; }
again --stale a
is '--stale' "$out, $answer" 'marked 1 tag stale, stale'
again --stale --expire 0.01 a
sleep 0.05
tell get 1 p:b:/a
is '--stale --expire' "$answer" miss
again --path /shop
is '--path' "$out, $answer" 'marked 1 tag dead, miss'
again --path /shop/
is '--path with a slash at its end' "$answer" miss
again --path /shop --type page
is 'the tag of the route, and that of its pages in the Pages router' "$out" 'marked 2 tags dead'
is '--path --type' "$answer" miss
again --path /shop --type layout
is '--path --type of another kind' "$answer" hit
again --path /
is '--path /' "$out, $answer" 'marked 1 tag dead, miss'
again --path /index
is '--path /index is the same' "$out, $answer" 'marked 1 tag dead, miss'
# What the Node.js handlers give to a page of the Pages router.
pages=nextcache:route:$(printf /blog/[slug] | sha256sum | cut -d ' ' -f 1)
root=nextcache:route:$(printf / | sha256sum | cut -d ' ' -f 1)
tell put 1 p:b:/blog/a 10 "$pages" 0 - -
tell put 1 p:b:/ 10 "$root" 0 - -
nc invalidate --dir "$dir" --path '/blog/[slug]' --type page
tell get 1 p:b:/blog/a
is 'a page of the Pages router by its route' "$answer" miss
tell get 1 p:b:/
is 'and not another' "$answer" hit
nc invalidate --dir "$dir" --path / --type layout
tell get 1 p:b:/
is 'the layout of all' "$answer" miss
again _N_T_/caf%C3%A9
is 'a percent-encoded tag' "$answer" miss
tell put 1 p:b:/b 10 _N_T_/é-100%,%FF 0 - -
nc invalidate --dir "$dir" --path /%C3%A9-100%
tell get 1 p:b:/b
is 'beside a % that stands for itself' "$answer" miss
tell put 1 p:b:/b 10 _N_T_/é-100%,%FF 0 - -
nc invalidate --dir "$dir" %FF
tell get 1 p:b:/b
is 'and bytes that are no text' "$answer" miss
again 100%
is 'one that is only like it' "$code $answer" '0 hit'
serve_end

nc invalidate --dir "$dir"
is 'no tag' $code 2
nc invalidate --dir "$dir" a --expire 5
is '--expire alone' $code 2
nc invalidate --dir "$dir" --path shop
is 'a path that is none' $code 2
nc invalidate --dir "$dir" --path /shop --type route
is 'a type that is none' $code 2

# Reasons: a bounded list that all processes share, and that no damage breaks.
nc invalidate --dir "$dir" prices --path /shop --reason $'the \x1bsale "begins"'
is 'a reason' "$code $out" '0 marked 2 tags dead'
nc tags --dir "$dir" --reasons --json
is 'stands in the list' "$(json '.[0] | .by + "|" + (.tags | join(",")) + "|" + .reason')" \
  $'nextcache invalidate|prices,_N_T_/shop|the \x1bsale "begins"'
is 'with its time' "$(json '.[0].time_ms > 1700000000000')" true
nc tags --dir "$dir" --reasons
has 'for people' "$out" '^ +[0-9.]+s ago  nextcache invalidate: the .*sale "begins"  \[prices, _N_T_/shop\]$'
hasnt 'without escapes' "$out" $'\033'
list=$dir/v1/invalidations
is 'nobody else reads it' "$(stat -c %a "$list")" 600
printf '{"time_ms":1,"tags":["torn' >>"$list"
nc invalidate --dir "$dir" a --reason after
printf '\n{"time_ms":"1"}\n[]\n\0\n{"time_ms":1,"tags":[1],"reason":"","by":""}\n' >>"$list"
nc tags --dir "$dir" --reasons --json
is 'damaged lines are skipped' "$code $(json 'map(.reason) | join("|")' | tr -d '\033')" '0 after|the sale "begins"'
for _ in $(seq 40); do
  nc invalidate --dir "$dir" $(seq 1000 1600) --reason "$(head -c 5000 /dev/zero | tr '\0' x)"
done
nc tags --dir "$dir" --reasons --json --limit 1
is 'a long one is cut, and tags that do not fit are left out' \
  "$(json '.[0] | (.reason | length) == 300 and (.tags | length) > 100 and (.tags | length) < 601')" true
is 'and the list is bounded' "$(($(cat "$list" "$list.1" | wc -c) < 2 * (65536 + 4096 + 2)))" 1
nc clear --dir "$dir" --app
nc tags --dir "$dir" --reasons --json
is 'a clear does not forget why' "$code $(json 'length > 10')" '0 true'
rm "$list"
ln -s /etc/passwd "$list"
nc invalidate --dir "$dir" a --reason nowhere
has 'a link is not followed' "$code $err" '^0 .*could not be noted'
nc invalidate --dir "$dir" a
is 'no reason is needed' "$code $err" '0 '
