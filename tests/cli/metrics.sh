# metrics: for Prometheus, once and over HTTP.
fill <<'...'
put 1 p:b:/a 5000 t 100 - -
put 3 f:x 10 - 0 - -
get 1 p:b:/a
get 1 p:b:/nothing
...
nc metrics --dir "$dir"
is 'exit code' $code 0
has 'a counter by class' "$out" '^nextcache_memory_hits_total\{class="pages"\} 1$'
has 'a counter' "$out" '^nextcache_disk_written_bytes_total [0-9]{4,}$'
has 'who keeps it' "$out" '^nextcache_info\{engine="nextcache",version="[0-9.]+"\} 1$'
has 'and where' "$out" '^nextcache_disk 1$'
has 'a gauge' "$out" '^nextcache_disk_limit_bytes 16777216$'
has 'the age of what the ring will recycle next' "$out" '^nextcache_oldest_entry_seconds 1[0-9][0-9]'
is 'each line is a sample or a comment of the format' \
  "$(grep -vcE '^(# (HELP nextcache_[a-z_]+ .+\.|TYPE nextcache_[a-z_]+ (counter|gauge))|nextcache_[a-z_]+(\{(class|quantile)="[a-z0-9.-]+"\}|\{engine="nextcache",version="[0-9.]+"\})? [0-9.e+-]+)$' <<<"$out")" 0
is 'no metric is described twice' "$(grep '^# TYPE' <<<"$out" | sort | uniq -d)" ''
is 'counters end in _total, as they should' "$(grep '^# TYPE .* counter$' <<<"$out" | grep -vc '_total counter$')" 0
has 'how long puts took' "$out" '^nextcache_put_seconds\{quantile="0\.99"\} 0\.0'
hasnt 'no process ids' "$out" 'pid'

if ! ldd "$build/nextcache" | grep -q libmicrohttpd; then
  nc metrics --dir "$dir" --listen 0
  has 'without libmicrohttpd --listen says so' "$code $err" '^4 .*libmicrohttpd'
  ok 'over HTTP # SKIP it was built without libmicrohttpd'
  return
fi

listen() { # starts the exporter; $port
  : >"$work/listen.log" # what the one before has said is not to be read once more
  "$build/nextcache" metrics --dir "$dir" --listen "$@" 2>"$work/listen.log" &
  exporter=$!
  eventually grep -q 'on port' "$work/listen.log"
  port=$(sed -n 's/.*on port \([0-9]*\).*/\1/p' "$work/listen.log")
}
unlisten() {
  kill "$exporter"
  wait "$exporter"
  code=$?
}
# Sends a request as it is; prints the answer.
http() {
  exec 7<>"/dev/tcp/127.0.0.1/$port"
  printf '%b' "$1" >&7
  timeout 60 cat <&7
  exec 7>&-
}
get() { http "GET $1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n$2\r\n" | tr -d '\r'; }

listen 0
answer=$(get /metrics '')
has 'GET /metrics' "$answer" '^HTTP/1.1 200'
has 'its type' "$answer" '^Content-Type: text/plain; version=0.0.4'
has 'the counters' "$answer" '^nextcache_memory_hits_total\{class="pages"\} 1$'
serve_begin
tell get 1 p:b:/a
has 'the numbers move' "$(get /metrics '')" '^nextcache_disk_hits_total\{class="pages"\} 1$'
kill -9 "$server"
serve_end 2>/dev/null
has 'and do not fall when a process is killed' "$(get /metrics '')" '^nextcache_disk_hits_total\{class="pages"\} 1$'
has 'another path' "$(get / '')" '^HTTP/1.1 404'
# A hundred connections that never come to an end of their request.
cat >slow.js <<'...'
const [port] = process.argv.slice(2), { connect } = require('net');
const slow = Array.from({ length: 100 }, () => connect(port, '127.0.0.1').on('error', () => {}));
const trickle = () => slow.forEach((s) => s.writable && s.write('X'));
const end = (text) => { console.log(text); process.exit(); };
Promise.all(slow.map((s) => new Promise((done) => s.on('connect', done)))).then(() => {
  slow.forEach((s) => s.write('GET / HTTP/1.1\r\nX: '));
  setInterval(trickle, 200);
  require('http').get({ port, host: '127.0.0.1', localAddress: '127.0.0.2', path: '/metrics' }, (r) => end(r.statusCode));
  setTimeout(() => end('no answer'), 20000);
});
...
if command -v node >/dev/null; then
  is 'one address with many slow connections holds up no other' "$(node slow.js "$port")" 200
else
  ok 'slow connections # SKIP no node'
fi
# What they took is given back when the exporter has seen that they ended: a thread each.
are_let_go() { [ "$(find "/proc/$exporter/task" -mindepth 1 -maxdepth 1 | wc -l)" -le 3 ]; }
answers() { [ -n "$(get /metrics '' 2>/dev/null)" ]; }
eventually are_let_go
eventually answers
head=$(http 'HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
has 'HEAD, by which some look whether it is up' "$head" '^HTTP/1.1 200'
hasnt 'brings no body' "$head" '^nextcache_'
has 'POST' "$(http 'POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc')" '^HTTP/1.1 405'
has 'nonsense' "$(http 'nonsense\r\n\r\n')" '400 Bad Request|^$'
has 'a name that is not of this machine (DNS rebinding)' \
  "$(http 'GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n')" '^HTTP/1.1 421'
has 'nor one that begins like one' \
  "$(http 'GET /metrics HTTP/1.1\r\nHost: localhost.evil.example\r\nConnection: close\r\n\r\n')" '^HTTP/1.1 421'
has 'nor none at all' "$(http 'GET /metrics HTTP/1.0\r\n\r\n')" '^HTTP/1.[01] 421'
has 'it listens on loopback alone' "$(ss -Hltnp 2>/dev/null | grep "pid=$exporter," || echo 127.0.0.1:$port)" "127\.0\.0\.1:$port"
rm -rf "$dir"
answer=$(get /metrics '')
has 'a cache that is gone is a number' "$answer" '^nextcache_up 0$'
hasnt 'and no path' "$answer" "$work"
unlisten
is 'it ends when it is told to' $code 0

nc metrics --dir "$dir" --listen 0.0.0.0:0
has 'other machines need a token' "$code $err" '^2 .*NEXT_CACHE_METRICS_TOKEN'
nc metrics --dir "$dir" --listen nonsense
is 'an address that is none' $code 2
export NEXT_CACHE_METRICS_TOKEN=s3cret
listen 0
has 'without the token' "$(get /metrics '')" '^HTTP/1.1 401'
has 'with another' "$(get /metrics 'Authorization: Bearer s3creT\r\n')" '^HTTP/1.1 401'
has 'with a part of it' "$(get /metrics 'Authorization: Bearer s3c\r\n')" '^HTTP/1.1 401'
has 'with more than it' "$(get /metrics 'Authorization: Bearer s3cret2\r\n')" '^HTTP/1.1 401'
has 'with an empty one' "$(get /metrics 'Authorization: Bearer \r\n')" '^HTTP/1.1 401'
has 'with the token' "$(get /metrics 'Authorization: Bearer s3cret\r\n')" '^HTTP/1.1 200'
has 'then the name does not matter' \
  "$(http 'GET /metrics HTTP/1.1\r\nHost: shop.example\r\nAuthorization: Bearer s3cret\r\nConnection: close\r\n\r\n')" '^HTTP/1.1 200'
if grep -qs ' lo$' /proc/net/if_inet6; then
  unlisten
  listen '[::]:0'
  has '[::] is every address, of version 4 as well' "$(get /metrics 'Authorization: Bearer s3cret\r\n')" '^HTTP/1.1 200'
else
  ok 'version 6 # SKIP there is none'
fi
has 'there is no login' "$(http 'POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')" '^HTTP/1.1 401'
unlisten
unset NEXT_CACHE_METRICS_TOKEN
printf 'from a file\n' >token
listen 0 --token-file token
has 'a token from a file' "$(get /metrics 'Authorization: Bearer from a file\r\n')" '^HTTP/1.1 200'
has 'without it' "$(get /metrics '')" '^HTTP/1.1 401'
unlisten
: >token
nc metrics --dir "$dir" --listen 0 --token-file token
has 'an empty file is no token' "$code $err" '^2 .*first line'
nc metrics --dir "$dir" --listen 0 --token-file nowhere
has 'a file that is not there' "$code $err" '^4 .*nowhere'
# The time of a comparison says nothing about how much of a guess was right.
is 'the comparison takes as long wherever the difference is' "$("$build/tests/cli/cli_token_time")" same

# One that root started before there was a cache does not stay root when there is one.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  chmod 755 "$scratch" "$work"
  cp "$build/tests/cli/cli_fill" "$work/fill"
  dir=$work/later/cache
  listen 0
  install -d -o 65534 -g 65534 "$work/later"
  setpriv --reuid=65534 --regid=65534 --clear-groups "$work/fill" "$dir" 16 <<<'put 1 p:b:/a 10 - 0 - -' >/dev/null
  is_the_owner() { grep -q "^Uid:[[:space:]]*65534[[:space:]]*65534" "/proc/$exporter/status"; }
  eventually is_the_owner && ok 'an exporter becomes the owner of a cache that comes later'
  has 'and shows it' "$(get /metrics '')" '^nextcache_puts_total\{class="pages"\} 1'
  unlisten
else
  ok 'an exporter of root # SKIP not root'
fi
