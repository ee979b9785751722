# doctor: what a cache depends on, and what to do.
. "$here/build.bash"
make_build
state() { json "map(select(.what == \"$1\") | .state + \": \" + .text) | join(\"; \")"; }
nc doctor --json
is 'a project without a cache yet' "$code $(json type)" '0 array'
is 'the build is whole' "$(state build)" 'fine: build-id is whole: 16 files'
has 'the first start makes the cache' "$(json '.[] | select(.what == "cache") | .remedy')" 'first start'
has 'where it is, and why' "$(state directory)" "^fine: $PWD/.cache/nextcache, from the default$"
dir=$PWD/.cache/nextcache
fill <<<'put 1 p:b:/a 100 t 0 - -'
mkdir -p node_modules/next && echo '{"version":"16.3.7"}' >node_modules/next/package.json
mkdir -p packages/site && echo '{}' >packages/site/package.json
out=$(cd packages/site && "$build/nextcache" doctor --json)
is 'Next.js of a monorepo' "$(state Next.js)" 'fine: 16.3.7, with keys that are paths'
nc doctor --json
is 'Next.js whose keys are paths' "$(state Next.js)" 'fine: 16.3.7, with keys that are paths'
echo '{"version":"16.3.8"}' >node_modules/next/package.json
nc doctor --json
is 'Next.js whose keys are scoped' "$(state Next.js)" 'fine: 16.3.8, with keys scoped by route'
for version in 15.5.26 15.5.27; do
  echo "{\"version\":\"$version\"}" >node_modules/next/package.json
  nc doctor --json
  keys=$([ $version = 15.5.27 ] && echo 'scoped by route' || echo 'that are paths')
  is "and in $version" "$(state Next.js)" "fine: $version, with keys $keys"
done
has 'the owner' "$(state owner)" "^fine: uid $(id -u)$"
has 'space' "$(state space)" '^fine: 1\.0 MB held of 16\.0 MB, .* free$'

export NEXT_CACHE_MAX_MEMORY_SIZE=lots
nc doctor
has 'a setting that is wrong' "$code $out" '^1 .*|problem  setting     NEXT_CACHE_MAX_MEMORY_SIZE=lots, from the environment; it should be'
has 'is named' "$out" 'problem +setting +NEXT_CACHE_MAX_MEMORY_SIZE=lots, from the environment; it should be a size'
unset NEXT_CACHE_MAX_MEMORY_SIZE
NEXT_CACHE_ENGINE=next nc doctor --json
has 'engine=next is told' "$(state engine)" '^note: engine=next'

rm .next/server/app/page.js
nc doctor --symptom build --json
has '--symptom build: missing manifests and files' "$code $(state build)" '^1 problem: server/app/page\.js is missing'
nc doctor --symptom stale --json
is '--symptom stale: not the build' "$code $(state build)" '0 '
has 'but the invalidations' "$(state changes)" '^fine: 0 tags marked'
make_build
sed -i 's/"serverExternalPackages":\["nextcache"\]/"cacheMaxMemorySize":0/' .next/required-server-files.json
nc doctor --symptom module --json
has '--symptom module: the bundler' "$(json '.[] | select(.what == "bundler") | .remedy')" 'serverExternalPackages'
sed -i 's/"cacheMaxMemorySize":0/&,"experimental":{"serverComponentsExternalPackages":["nextcache"]}/' .next/required-server-files.json
nc doctor --symptom module --json
is '--symptom module: the name of 14' "$(state bundler)" ''
for config in '' '"cacheComponents":true,"cacheHandlers":{"default":"x"},' '"experimental":{"useCache":true,"cacheHandlers":{"default":"x"}},'; do
  make_build
  sed -i "s/\"config\":{/&$config/" .next/required-server-files.json
  nc doctor --symptom stale --json
  is "no word of cacheHandlers: ${config:-no 'use cache'}" "$(state handler)" 'fine: cacheHandler is ../node_modules/nextcache/cache-handler.js'
done
for config in '"cacheComponents":true,' '"experimental":{"useCache":true,"cacheHandlers":{}},'; do
  make_build
  sed -i "s/\"config\":{/&$config/" .next/required-server-files.json
  nc doctor --symptom stale --json
  has "'use cache' without cacheHandlers: $config" "$(state handler)" 'note: the build has no cacheHandlers'
done
has 'and where 15 has them' "$(json '.[] | select(.state == "note" and .what == "handler") | .remedy')" '^experimental: '
make_build
sed -i 's/"serverExternalPackages":\["nextcache"\]/"cacheMaxMemorySize":0/' .next/required-server-files.json
nc doctor --symptom memory --json
has '--symptom memory: cacheMaxMemorySize: 0' "$(state memory)" '^note: cacheMaxMemorySize: 0'

NEXT_CACHE_MAX_DISK_SIZE=99MB serve_begin
next_begin
nc doctor --json
has 'a process that has the cache open' "$(state process)" "fine: $server has the cache open"
has 'with other settings than these' "$(state process)" "note: $server has others .*NEXT_CACHE_MAX_DISK_SIZE=99MB"
has 'a server that has it not' "$(state process)" "note: $next works in this project without this cache"
has 'and what it takes' "$(state memory)" "process $next takes [0-9.]+ [KM]B: 0 B of entries, [0-9.]+ [KM]B of heap and buffers, [0-9.]+ [KM]B of files"
next_end
serve_end
printf 'XXXX' | dd of="$(echo "$dir"/v1/data-*)" bs=1 seek=80 conv=notrunc status=none
echo 'get 1 p:b:/a' | fill
nc doctor --symptom stale --json
has 'damage that was met' "$code $(state damage)" '^1 problem: 1 entry found damaged'

# Limits, rights, and the memory of a container.
mkfifo "$work/silence"
(trap '' XFSZ && ulimit -f 64 && exec "$build/tests/cli/cli_fill" "$dir" 16 <>"$work/silence") &
limited=$!
has_it_open() { nc stats --dir "$dir" --json && json '.processes[].pid' | grep -qx "$limited"; }
eventually has_it_open
nc doctor --symptom memory --json
has 'a limit that is smaller than the ring' "$code $(state limits)" "^1 problem: files of process $limited may have 64\.0 KB, and the ring has 16\.0 MB"
kill "$limited"
wait "$limited" 2>/dev/null
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  chmod 755 "$scratch" "$work"
  cp "$build/nextcache" "$work/nextcache"
  out=$(setpriv --reuid=65534 --regid=65534 --clear-groups "$work/nextcache" doctor --dir "$work/not/there" --json)
  has 'a directory that cannot be made' "$(state permissions)" "^problem: uid 65534 may not write in $work: the cache would live in memory only$"
else
  ok 'a directory that cannot be made # SKIP not root'
fi
mkdir cgroup && echo 1073741824 >cgroup/memory.max && echo 536870912 >cgroup/memory.current
if unshare -m mount --bind cgroup /sys/fs/cgroup 2>/dev/null; then
  out=$(unshare -m sh -c "mount --bind cgroup /sys/fs/cgroup && '$build/nextcache' doctor --symptom memory --json")
  is 'what the container takes' "$(state container)" 'fine: takes 512 MB of 1.0 GB, page cache included'
else
  ok 'what the container takes # SKIP no mounts here'
fi
nc doctor --symptom nonsense
is 'a symptom that is none' $code 2
