# stats, metrics and doctor: the tier that machines share, as a process tells it. With a real
# server behind it: tests/remote/tool.test.js.
state() { json "map(select(.what == \"shared tier\") | .state + \": \" + .text) | join(\"; \")"; }
fill <<<'put 1 p:b:/a 100 t 0 - -'
nc stats --dir "$dir"
hasnt 'nothing of it where nobody has it' "$out" '^ +shared'
nc stats --dir "$dir" --json
is 'nor in JSON' "$(json .shared)" null
nc metrics --dir "$dir"
hasnt 'nor in the metrics' "$out" 'nextcache_remote'

serve_begin
nc stats --dir "$dir" --json
is 'nor of a process that has none' "$(json '.processes[0].shared')" null
others='this machine alone: .*revalidateTag\(\)'
nc invalidate --dir "$dir" tag
hasnt 'an invalidation is whole without it' "$err" "$others"
tell share 1 0 0 20
nc invalidate --dir "$dir" tag
has 'with it, the tool says whom it does not reach' "$out $err" "^marked 1 tag dead nextcache: $others"
nc clear --dir "$dir" --app --prefix /none --force
has 'and so when it clears' "$err" "$others"
nc stats --dir "$dir"
has 'a process that is well' "$out" "^ +$server  ready +75\.0 % +400 us +9\.0 ms +[0-9.]+ ?s +2\.0 KB +1\.0 KB +0$"
has 'and all of them' "$out" '^ +total  ready +75\.0 % +400 us +9\.0 ms'
nc stats --dir "$dir" --json
is 'the same as JSON' "$(json '.shared | [.state, .processes, .gets, .p99_us, .bytes_in] | @csv')" '"ready",1,100,9000,2048'
is 'for the process' "$(json '.processes[0].shared.state')" ready
nc metrics --dir "$dir"
has 'the metrics have it' "$out" '^nextcache_remote_ready 1$'
has 'with its latency in seconds' "$out" '^nextcache_remote_latency_p99_seconds 0\.009$'
nc doctor --dir "$dir" --json
has 'doctor says that it is well' "$(state)" '^fine: ready; its log was read to the end [0-9.]+ ?s ago$'
tell share 0 1 3 60000
nc doctor --dir "$dir" --json
has 'and that it is not' "$(state)" '^problem: open; .*; problem: 3 invalidations are not known to other machines$'
lag() { nc stats --dir "$dir" --json; json .shared.unsure_ms; }
before=$(lag)
grows() { [ "$(lag)" -gt "$before" ]; }
eventually grows && ok 'the lag goes on when the process tells no more'
is 'it is what was told, at least' "$([ "$before" -ge 60000 ] && echo yes)" yes
screen=$(TERM=xterm script -qec "$build/nextcache stats --watch --interval 0.1 --rounds 2 --dir $dir" /dev/null </dev/null)
has 'the live screen has a line of it' "$screen" 'shared tier .*open.*half in 400 us, 99 % in 9\.0 ms.*3 unsent'
kill -9 "$server"
serve_end
nc stats --dir "$dir" --json
is 'a killed process is not shown as one that lives' "$(json .shared)" null
