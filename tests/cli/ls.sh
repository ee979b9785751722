# ls: what is in there, chosen and sorted.
fill <<'...'
put 1 p:b1:/route-cache/APP_PAGE/3f/$/shop/a 12000 shop,a 50 60 3600
put 1 p:b1:/shop/b 300 shop 0 - 100
put 3 f:https://api/shop 900 shop,prices 100 60 -
text 4 u:b1:["c0ffee",["a-secret"],["b1"]] hello
put 2 p:b1:/\x1b[31mevil\xff 10 - 0 - -
put 0 other 10 - 0 - -
put 1 p:b1:/gone 100 gone 0 - -
mark gone 0
get 1 p:b1:/shop/b
...
nc ls --dir "$dir" --json
is 'all, the newest first' "$(json 'map(.name) | @csv')" \
  '"/gone","other","/\x1b[31mevil\xff","c0ffee","https://api/shop","/shop/b","/shop/a"'
is 'classes' "$(json 'map(.class) | join(" ")')" 'pages other routes use-cache fetches pages pages'
is 'states' "$(json 'map(.state) | join(" ")')" 'dead fresh fresh fresh stale fresh fresh'
is 'why it would be a miss' "$(json '.[0].why')" 'the tag "gone" was marked after it was made'
is 'ages in milliseconds' "$(json '.[4].age_ms >= 100000 and .[4].age_ms < 130000')" true
is 'the end of its life' "$(json '.[5].dead_at_ms - .[5].created_ms')" 100000
hasnt 'arguments of cached functions are not shown' "$out" 'a-secret'
hasnt 'no byte of a key reaches the terminal as it is' "$out" $'\033'
nc ls --dir "$dir" --json --full
has 'unless asked' "$out" 'a-secret'
is 'with whole keys' "$(json '.[6].key')" 'p:b1:/route-cache/APP_PAGE/3f/$/shop/a'

names() { nc ls --dir "$dir" --json "$@"; json 'map(.name) | join(" ")'; }
is '--class' "$(names --class fetches --class use-cache)" 'c0ffee https://api/shop'
is '--tag' "$(names --tag prices --tag a)" 'https://api/shop /shop/a'
is '--tag that nothing has' "$(names --tag nothing)" ''
is '--prefix of a path' "$(names --prefix /shop)" '/shop/b /shop/a'
is '--prefix of a key' "$(names --prefix f:)" 'https://api/shop'
is '--stale' "$(names --stale)" '/gone https://api/shop'
is '--sort size' "$(names --sort size --limit 2)" '/shop/a https://api/shop'
is '--sort life' "$(names --sort life --limit 2)" '/shop/b /shop/a'
is '--sort key' "$(names --sort key --limit 1)" 'https://api/shop'
is 'all together' "$(names --tag shop --class pages --prefix /shop/a)" '/shop/a'

nc ls --dir "$dir"
has 'a row of the table' "$out" '^[0-9a-f]{12}  pages      fresh +([0-9]m )?[0-9]+s +5[0-9]m [0-9]+s +11\.9 KB     2  /shop/a$'
has 'escapes in the table, too' "$out" '/\\x1b\[31mevil\\xff$'
hasnt 'and nothing raw' "$out" $'\033'
has 'the last line counts' "$(tail -n 1 <<<"$out")" '^7 entries, '

before=$(nc stats --dir "$dir" --json; json .total)
nc ls --dir "$dir"
is 'listing counts nothing' "$(nc stats --dir "$dir" --json; json .total)" "$before"

# An entry that is not intact.
printf 'XXXX' | dd of="$(echo "$dir"/v1/data-*)" bs=1 seek=200 conv=notrunc status=none
nc ls --dir "$dir" --json
is 'damage is a state' "$code $(json '.[6] | .state + ": " + .why')" '0 damaged: its bytes are damaged'

# Many.
dir=$work/many
echo 'many 100000 1000 all' | fill 1024
# Time of the processor: this machine may be busy.
TIMEFORMAT='%U %S'
seconds() { { time nc "$@" 2>/dev/null; } 2>&1 | awk '{print $1 + $2}'; }
took=$(seconds ls --dir "$dir")
nc ls --dir "$dir"
has '100 000 entries' "$(tail -n 1 <<<"$out")" '^(99 9..|100 000) entries, '
less() { awk -v took="$2" -v most="$3" 'BEGIN {exit !(took < most)}' && ok "$1 ($2 s)" || not_ok "$1" "$2 s"; }
less 'they are listed within a second' "$took" 1
less 'their stats within half a second' "$(seconds stats --dir "$dir")" 0.5

# Where it takes longer (here because nobody reads for a while what it writes), a terminal
# shows how far it is, and nothing of that stays.
slow='(head -c 1 && sleep 1.2 && cat) >/dev/null'
TERM=xterm script -qec "$build/nextcache ls --dir $dir | $slow" seen </dev/null >/dev/null
has 'a bar on a terminal' "$(cat seen)" '(reading|writing) \[#* *\] [0-9]+ %'
has 'which goes away' "$(tail -c 100 seen)" $'\r\033\\[K'
