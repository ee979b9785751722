# tags: by tag, how many entries.
fill <<'...' >/dev/null
put 1 p:b:/a 5000 shop,a 0 - -
put 1 p:b:/b 300 shop,b 0 - -
put 3 f:x 900 shop,\x1bprices 0 - -
mark a 0
...
nc tags --dir "$dir" --json
is 'the most used first' "$code $(json 'map(.tag + "=" + (.entries | tostring)) | join(" ")' | tr -d '\033')" \
  '0 shop=3 prices=1 a=1 b=1'
is 'entries that a look-up would still find' "$(json '.[0].hits')" 2
is 'when it was marked' "$(json '.[2].dead_ms > 0')" true
is 'not when it never was' "$(json '[.[0].dead_ms, .[0].stale_ms] | @csv')" '0,0'
nc tags --dir "$dir"
has 'a row of the table' "$out" '^ +3 +2 +[0-9.]+ KB  - +-  shop$'
has 'a marked one' "$out" '^ +1 +0 .*  dead  +[0-9.]+s  a$'
hasnt 'escapes do not get through' "$out" $'\033'
nc tags --dir "$dir" --class fetches --begins s --json
is 'chosen' "$(json 'map(.tag) | join(" ")')" 'shop'
nc tags --dir "$dir" --sort name --limit 2 --json
is 'sorted by name' "$(json 'map(.tag) | join(" ")' | tr -d '\033')" 'prices a'
nc tags --dir "$dir" --sort mark --limit 1 --json
is 'sorted by the last mark' "$(json '.[].tag')" a
nc tags --dir "$dir" --sort nonsense
is 'an order that does not exist' $code 2
