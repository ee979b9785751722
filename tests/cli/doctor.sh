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
nc doctor --symptom memory --json
has '--symptom memory: cacheMaxMemorySize: 0' "$(state memory)" '^note: cacheMaxMemorySize: 0'

NEXT_CACHE_MAX_DISK_SIZE=99MB serve_begin
(exec -a 'next-server (v16.4.6)' sleep 60) &
next=$!
sleep 0.1
nc doctor --json
has 'a process that has the cache open' "$(state process)" "fine: $server has the cache open"
has 'with other settings than these' "$(state process)" "note: $server has others .*NEXT_CACHE_MAX_DISK_SIZE=99MB"
has 'a server that has it not' "$(state process)" "note: $next works in this project without this cache"
has 'and what it takes' "$(state memory)" "process $next takes [0-9.]+ [KM]B"
kill "$next"
wait "$next" 2>/dev/null
serve_end
printf 'XXXX' | dd of="$(echo "$dir"/v1/data-*)" bs=1 seek=80 conv=notrunc status=none
echo 'get 1 p:b:/a' | fill
nc doctor --symptom stale --json
has 'damage that was met' "$code $(state damage)" '^1 problem: 1 entries were found damaged'
nc doctor --symptom nonsense
is 'a symptom that is none' $code 2
