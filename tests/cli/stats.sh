# stats: what all processes counted, and each.
fill <<'...'
put 1 p:b:/a 5000 - 0 - -
put 3 f:https://api/x 100 prices 100 60 -
get 1 p:b:/a
get 1 p:b:/nothing
get 3 f:https://api/x
mark prices 0
get 3 f:https://api/x
...
nc stats --dir "$dir" --json
is 'it is JSON' "$code $(json type)" '0 object'
is 'the directory' "$(json .dir)" "$dir"
is 'hits by class' "$(json '.total.memory_hits | [.pages, .fetches, .images] | @csv')" '1,1,0'
is 'stale hits' "$(json .total.stale_hits.fetches)" 1
is 'misses by class' "$(json '.total.misses | [.pages, .fetches] | @csv')" '1,1'
is 'misses by reason' "$(json '[.total.dead_by_tag, .total.marks] | @csv')" '1,1'
is 'the bound' "$(json '[.total.disk_limit_bytes, .cache.limit_bytes] | @csv')" '16777216,16777216'
is 'how long things took' "$(json '.times | [.puts.p50_us <= .puts.p99_us, .puts.timed, .invalidations.timed] | @csv')" 'true,1,1'
is 'nobody has it open' "$(json '.processes | length')" 0
is 'looking counts nothing' "$(nc stats --dir "$dir" --json; json .total)" "$(json .total)"

serve_begin
tell get 1 p:b:/a
nc stats --dir "$dir" --json
is 'a live process is named' "$(json '.processes[].pid')" "$server"
has 'and its command' "$(json '.processes[].command')" 'cli_fill'
is 'with its own counters' "$(json '.processes[0].counters.disk_hits.pages')" 1
is 'which the total holds, too' "$(json '.total.disk_hits.pages')" 1
is 'what it has in memory' "$(json '.processes[0].counters.memory_items')" 1
is 'which is the sum of all' "$(json '.total.memory_bytes > 100 and .total.memory_bytes == .processes[0].counters.memory_bytes')" true
is 'against its bound' "$(json '.total.memory_limit_bytes')" $((50 << 20))
nc stats --dir "$dir"
has 'the table has a row for each class' "$out" '^pages +1 +1 +0 +1 +1 +66\.7 %$'
has 'and the process' "$out" "^ +$server +1 +0 .*cli_fill"
hasnt 'no colours where it is no terminal' "$out" $'\033'
kill -9 "$server"
serve_end
nc stats --dir "$dir" --json
is 'the counters of a killed process stay' "$(json '[.total.disk_hits.pages, (.processes | length)] | @csv')" '1,0'

is 'what it had in memory does not' "$(json '[.total.memory_items, .total.memory_bytes] | @csv')" '0,0'

nc stats --dir "$dir" --watch --json --interval 0.1 --rounds 3
is '--watch --json: a line for each round' "$(jq -s length <<<"$out")" 3
"$build/nextcache" stats --dir "$dir" --watch --json --interval 4295 >patient 2>/dev/null &
patient=$!
eventually test -s patient
sleep 1
is 'an interval of more than 2^32 microseconds' "$(wc -l <patient)" 1
kill $patient
wait $patient 2>/dev/null
nc stats --dir "$dir" --watch --interval 0.001
is 'an interval that is too short' $code 2

# The live screen, as a terminal sees it.
screen=$(TERM=xterm script -qec "$build/nextcache stats --watch --interval 0.1 --rounds 3 --dir $dir" /dev/null </dev/null)
has 'the screen takes the other page of the terminal' "$screen" $'\033\\[\\?1049h'
has 'and gives it back' "$(tail -n 1 <<<"$screen")" $'\033\\[\\?1049l'
has 'it shows the classes' "$screen" 'pages +1 +1'
screen=$(NO_COLOR=1 TERM=xterm script -qec "$build/nextcache stats --dir $dir" /dev/null </dev/null)
hasnt 'NO_COLOR is obeyed on a terminal' "$screen" $'\033\\[1m'
screen=$(TERM=xterm script -qec "$build/nextcache stats --dir $dir" /dev/null </dev/null)
has 'else it has colours' "$screen" $'\033\\[1m'
