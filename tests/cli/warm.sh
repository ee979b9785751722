# warm: the right paths, each once, not too many at a time.
fill 32 <<'...'
put 1 p:b:/hot 900000 - 0 - -
put 1 p:b:/cold 1000 - 0 - -
put 1 p:b:/gone 1000 t 0 - -
get 1 p:b:/hot
get 1 p:b:/gone
mark t 0
...
data=$(echo "$dir"/v1/data-*)
resident() { fincore -nbo res "$data" | tr -d ' '; }
sync "$data" && dd of="$data" oflag=nocache conv=notrunc count=0 status=none # out of the page cache
before=$(resident)
nc warm --dir "$dir" --memory
has '--memory: what was in use, and is valid' "$code $out" '^0 1 entry in use, [0-9.]+ KB: now in the memory of the system'
[ "$before" -gt 500000 ] && before=0 # as on tmpfs
is 'is in the memory of the system' "$(($(resident) >= before + 900000))" 1
nc stats --dir "$dir" --json
is 'and no look-up was counted' "$(json '.total.memory_hits.pages + .total.disk_hits.pages')" 2
nc warm --dir "$dir" --memory --url http://127.0.0.1:1
is '--memory asks no site' $code 2
if ! ldd "$build/nextcache" | grep -q libcurl; then
  nc warm --url http://127.0.0.1:1
  has 'without libcurl it says so' "$code $err" '^4 .*libcurl'
  ok 'requests # SKIP it was built without libcurl'
  return
fi
command -v node >/dev/null || { ok 'requests # SKIP no node'; return; }
. "$here/build.bash"
make_build
# A site that notes what it is asked, and how many at a time.
cat >site.js <<'...'
let now = 0, most = 0;
const seen = [];
const server = require('http').createServer((request, response) => {
  if (request.url === '/seen') return response.end(JSON.stringify({ seen: seen.sort(), most }));
  if (request.url === '/sitemap.xml')
    return response.end('<urlset><url><loc>https://shop.example/</loc></url>\n<url><loc> https://shop.example/a?x=1 </loc></url><url><loc>https://shop.example</loc></url></urlset>');
  const to = { '/slash': '/slash/', '/round': '/round', '/away': 'http://shop.example/away' }[request.url];
  if (to) return response.writeHead(308, { location: to, 'x-nextjs-cache': request.url === '/slash' ? 'HIT' : 'MISS' }).end();
  if (request.url === '/shop/sitemap.xml')
    return response.end('<sitemapindex><sitemap><loc>https://shop.example/parts/1.xml</loc></sitemap><sitemap><loc>https://shop.example/parts/2.xml</loc></sitemap></sitemapindex>');
  if (/parts.1/.test(request.url)) return response.end('<urlset><url><loc>https://shop.example/shop/a?b=1&amp;c=2</loc></url></urlset>');
  if (/parts.2/.test(request.url)) return response.end('<urlset><url><loc>https://shop.example/shop/it&apos;s</loc></url></urlset>');
  if (request.url === '/none/sitemap.xml') return response.end('<html>');
  most = Math.max(most, ++now);
  setTimeout(() => {
    now--;
    const known = seen.includes(request.url);
    seen.push(request.url);
    if (request.url === '/broken') response.statusCode = 500;
    if (request.url !== '/dynamic') response.setHeader('x-nextjs-cache', known ? 'HIT' : 'MISS');
    response.end('x');
  }, 30);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
...
site() {
  node site.js >port &
  site=$!
  eventually test -s port
  url=http://127.0.0.1:$(cat port)
}
unsite() { kill "$site"; wait "$site" 2>/dev/null; rm -f port; }
seen() { node -e "require('http').get('$url/seen', r => r.pipe(process.stdout))"; }

site
nc warm --url "$url/"
is 'what was prerendered' "$code $out" '0 2 paths: 2 made now, 0 warm already, 0 refreshed, 0 not cached, 0 failed'
is 'was asked for, each once' "$(seen | jq -c .seen)" '["/","/route"]'
http_proxy=http://127.0.0.1:1 nc warm --url "$url"
has 'again it is warm, and no proxy is asked for this machine' "$out" '0 made now, 2 warm already'
unsite

site
printf '{"routes":{"/a b":{},"/100%%":{},"/ü":{},"/s%%2Ft":{},"/[x]":{}}}' >.next/prerender-manifest.json
nc warm --url "$url"
has 'names that an address cannot hold' "$code $out" '^0 5 paths: 5 made now'
is 'are encoded, once' "$(seen | jq -c .seen)" '["/%5Bx%5D","/%C3%BC","/100%25","/a%20b","/s%2Ft"]'
unsite

site
printf '/slash\n/round\n/away\n' >list
nc warm --url "$url" --from list
has 'redirects' "$code $out" '^0 3 paths: 3 made now, 0 warm already'
is 'are followed within the site' "$(seen | jq -c .seen)" '["/slash/"]'
unsite

site
printf '/dynamic\n/broken\n# no path\n%s' "$(seq 20 | sed 's|^|/|')" >list
nc warm --url "$url" --from list --at-once 3
has 'a list' "$code $out" '^1 22 paths: 20 made now, 0 warm already, 0 refreshed, 1 not cached, 1 failed'
is 'a path that failed is named' "$err" 'nextcache: /broken answered 500'
is 'no more than so many at once' "$(seen | jq '.most <= 3')" true
unsite

site
nc warm --url "$url" --from sitemap
is 'the sitemap, whatever host it names' "$code $(seen | jq -c .seen)" '0 ["/","/","/a?x=1"]'
nc warm --url "$url/shop" --from sitemap
is 'an index of sitemaps, of a site with a basePath' "$code $(seen | jq -c '.seen[2:]')" '0 ["/a?x=1","/shop/a?b=1&c=2","/shop/it'"'"'s"]'
nc warm --url "$url/none" --from sitemap
has 'what is no sitemap' "$code $err" '^1 nextcache: warm: http.*/none/sitemap\.xml is no sitemap'
echo 'https://shop.example/a' >urls
nc warm --url "$url" --from urls
has 'a file of something else' "$code $err" '^1 nextcache: warm: urls has no line that begins with a path'
unsite

site
dir=$PWD/.cache/nextcache
fill <<'...'
put 1 p:b:/route-cache/APP_PAGE/3f/$/index 100 - 0 - -
put 1 p:b:/route-cache/APP_PAGE/3f/$/never-read 100 - 0 - -
put 2 p:b:/read 100 - 0 - -
put 3 f:/fetch 100 - 0 - -
get 1 p:b:/route-cache/APP_PAGE/3f/$/index
get 2 p:b:/read
get 3 f:/fetch
...
nc warm --url "$url" --from top
is 'top: what was read' "$code $(seen | jq -c .seen)" '0 ["/","/read"]'
nc warm --url "$url" --from top --limit 1
has '--limit' "$out" '^1 path:'
unsite
nc warm --url "$url" --from list --limit 1
has 'nobody answers' "$code $err" '^1 nextcache: /dynamic: '
nc warm --url "$url" --from sitemap
has 'nor the sitemap' "$code $err" '^4 nextcache: warm: http.*/sitemap\.xml: '
nc warm
is 'no site' $code 2
nc warm --url file:///etc/passwd
is 'what is no site' $code 2
nc warm --url "$url" --at-once 1000
is 'too many at once' $code 2
nc warm --url "$url" --from nothing
is 'a file that is not there' $code 3
