# pipeline: that of the storefront, with a stand-in for Next.js; with the real one it is run by
# examples/storefront/check/12-operations.mjs.
command -v npx >/dev/null || { ok 'pipeline # SKIP no npm'; return; }
ldd "$build/nextcache" | grep -q libcurl || { ok 'pipeline # SKIP it was built without libcurl'; return; }
deployed=$work/deployed
mkdir -p node_modules/next/dist/bin node_modules/.bin .next
cp "$here/../../examples/storefront/pipeline" .
ln -s "$build/nextcache" node_modules/.bin/nextcache
echo '{"name":"shop"}' >package.json
echo '{"routes":{"/":{}}}' >.next/prerender-manifest.json
cat >node_modules/next/dist/bin/next <<'...'
require('http').createServer((request, response) => response.end('nextcache_disk 1\nnextcache_corrupt_total 0\n'))
  .listen(process.argv[process.argv.indexOf('-p') + 1], '127.0.0.1', () => console.log('Ready in 1ms'));
...
pipe() { WATCH_SECONDS=1 timeout 120 ./pipeline "$deployed" "$@" >"$work/said" 2>&1; echo $?; }
pid_of() { cat "$deployed/$1/pid"; }
gone() { [ ! -e "/proc/$1/cwd/" ]; } # also one that nobody has waited for

is 'a release' "$(pipe deploy watch)" 0
first=$(pid_of current)
is 'and the next' "$(pipe deploy watch)" 0
is 'the old one has ended' "$(gone "$first" && echo yes)" yes
# As after a reboot: the number of the process has gone to another.
kill "$(pid_of current)"
sleep 600 &
other=$!
echo $other >"$deployed/current/pid"
is 'a run that is interrupted before the watch' "$(pipe deploy)" 0
left=$(pid_of candidate)
is 'after it, and after a reboot' "$(pipe deploy watch)" 0
is 'what was left behind has ended' "$(gone "$left" && echo yes)" yes
is 'what only has the number of the old one goes on' "$(kill -0 $other && echo yes)" yes
is 'with its folder' "$(find "$deployed/releases" -name pid | wc -l)" 3
kill $other "$left" "$(pid_of current)" 2>/dev/null
wait $other 2>/dev/null
