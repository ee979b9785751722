# recover: from whatever there is to a cache that works.
. "$here/build.bash"
make_build
dir=$PWD/.cache/nextcache
some='put 1 p:b:/a 5000 - 0 - -
put 1 p:b:/b 5000 - 0 - -'

nc recover
has 'nothing there' "$code $out" '^0 running +no process'
has 'tells how to start' "$out" '^start +npm start'
fill <<<"$some"
nc recover
has 'all is well' "$code $out" '^0 '
has 'entries stay' "$out" '^cache +2 entries intact'

printf 'XXXX' | dd of="$(echo "$dir"/v1/data-*)" bs=1 seek=1000 conv=notrunc status=none
nc recover
has 'a damaged entry is removed' "$code $out" 'cache +1 entry removed, because of damage'
has 'the others stay' "$out" '^cache +1 entry intact'
is 'and it is fine' $code 0
nc verify
is 'verify says so, too' $code 0

for file in "$dir"/v1/*; do
  head -c "$(stat -c %s "$file")" /dev/urandom >"$work/random" && cat "$work/random" >"$file"
done
nc stats
is 'a directory of random bytes' $code 4
nc recover
has 'is made anew' "$code $out" 'cache +made anew, empty'
is 'and it is fine' $code 0
fill <<<"$some"
nc ls --json
is 'it works again' "$(json length)" 2

rm "$dir"/v1/data-*
nc recover
has 'a missing data file' "$code $out" 'cache +made anew, empty'
nc stats
is 'and it works' $code 0

rm .next/static/chunks/page.js
nc recover
is 'all lines are in the same columns' "$(grep -vcE '^(running|cache|problem|start) {2,} [^ ]' <<<"$out")" 0
has 'a broken build' "$code $out" '^1 '
has 'is told' "$out" 'static/chunks/page\.js is missing'
has 'and not to be started' "$out" '^start +not before'
make_build
next_begin
nc recover
has 'processes are named, with how to stop them' "$out" "^running +process $next: next-server.*kill $next$"
next_end
rm -rf "$dir" && mkdir -p "$dir/v7"
nc recover
is 'a cache of a newer release is left alone' "$code $(ls "$dir")" '4 v7'
