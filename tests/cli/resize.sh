# resize: another bound, when nobody has the cache open.
serve_begin
tell put 1 p:b:/a 10 a 0 - -
nc invalidate --dir "$dir" marked
nc resize --dir "$dir" 32MB
has 'while a process has it open' "$code $err" '^1 '
has 'it names the process' "$err" "process $server has the cache open"
has 'and the remedy' "$err" 'NEXT_CACHE_MAX_DISK_SIZE'
tell get 1 p:b:/a
is 'nothing is lost' "$answer" hit
serve_end
nc resize --dir "$dir" 16MB
has 'the size that it has' "$code $out" '^0 it has that size already'
nc resize --dir "$dir" 32MB
has 'another one' "$code $out" '^0 32\.0 MB instead of 16\.0 MB'
nc stats --dir "$dir" --json
is 'it holds' "$(json '[.cache.limit_bytes, .cache.slots] | @csv')" "$((32 << 20)),16384"
is 'invalidations are kept' "$(json .cache.tag_rows_used)" 1
# Who only looks is in nobody's way.
nc stats --dir "$dir" --json
is 'a view is no process that has it open' "$(json '.processes | length')" 0
"$build/nextcache" stats --watch --json --interval 0.1 --dir "$dir" >watched 2>/dev/null &
watcher=$!
eventually test -s watched
nc stats --dir "$dir" --json
is 'nor is stats --watch' "$(json '.processes | length')" 0
nc resize --dir "$dir" 64MB
has 'it may be resized meanwhile' "$code $out" '^0 64\.0 MB instead of 32\.0 MB'
: >watched
two_lines() { [ "$(wc -l <watched)" -ge 2 ]; }
eventually two_lines
kill $watcher
wait $watcher 2>/dev/null
is 'and stats --watch goes on with what is there now' \
  "$(tail -n 1 watched | jq .cache.limit_bytes)" $((64 << 20))
for wrong in 4MB nonsense -5 '' 1e40GB 0x10MB 1e3MB 16.MB; do
  nc resize --dir "$dir" -- "$wrong"
  is "a wrong size: '$wrong'" "$code" 2
done
nc resize --dir "$dir"
is 'no size' $code 2
# Without room for the new index the old one holds, and nobody has it open.
nc resize --dir "$dir" 16MB
err=$(ulimit -f 4096 && "$build/nextcache" resize --dir "$dir" 1GB 2>&1)
has 'no room for the index' "$? $err" '^4 nextcache: the cache directory .* keeps its bound of 16777216 bytes, because the index for 1073741824 cannot be made: File too large'
nc stats --dir "$dir" --json
is 'the old bound holds' "$(json .cache.limit_bytes)" $((16 << 20))
