# Every command of the guide runs as it stands there, one after another.
. "$here/build.bash"
make_build
mkdir bin
ln -s "$build/nextcache" bin/nextcache
# `next build` makes what was there before; the rest is about the cache.
cat >bin/next <<'...'
#!/bin/bash
[ "$*" = build ] && cp -r whole .next
...
chmod +x bin/next
cp -r .next whole
dir=$PWD/.cache/nextcache
fill <<'...'
put 1 p:b:/route-cache/APP_PAGE/3f/$/products/a 100 products 0 - -
put 1 p:b:/offers 100 _N_T_/offers,prices 0 - -
...
guide=$here/../../docs/production.md
count=0
while read -r line; do
  output=$(PATH=$PWD/bin:$PATH bash -c "$line" 2>&1)
  code=$?
  if [ $code = 0 ]; then ok "$line"; else not_ok "$line" "exit code $code: $output"; fi
  count=$((count + 1))
done < <(awk '/^```sh/ {on = 1; next} /^```/ {on = 0} on && /^next/' "$guide")
if [ $count -ge 13 ]; then ok "$count commands"; else not_ok 'the commands were found' "$count"; fi
# Those in running text: their options exist.
grep -oE '`nextcache [a-z-]+[^`]*`' "$guide" | tr -d '`' | sort -u >lines
while read -r _ command arguments; do
  nc "$command" --help
  is "nextcache $command is a command" $code 0
  for option in $(grep -oE -- '--[a-z-]+' <<<"$arguments"); do
    has "nextcache $command has $option" "$out" "^  $option( |$)"
  done
done <lines
