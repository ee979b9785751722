# verify: every record, and an exit code for scripts.
fill <<'...'
put 1 p:b:/a 5000 - 0 - -
put 1 p:b:/b 5000 - 0 - -
put 1 p:b:/dead 5000 t 0 - -
mark t 0
...
nc verify --dir "$dir"
has 'all intact' "$code $out" '^0 3 entries intact, '
data=$(echo "$dir"/v1/data-*)
printf 'X' | dd of="$data" bs=1 seek=3000 conv=notrunc status=none
nc verify --dir "$dir"
has 'one flipped byte' "$code $out" '^1 2 entries intact'
has 'is told with the remedy' "$out" '1 damaged.*nextcache recover'
nc verify --dir "$dir" --json
is 'as JSON' "$code $(json '[.intact, .damaged, .unreadable] | @csv')" '1 2,1,0'
nc ls --dir "$dir"
has 'it is still there: verify changes nothing' "$out" 'damaged'
