# check-build: whole, or what is missing and what to do.
. "$here/build.bash"
make_build
nc check-build
has 'a whole one' "$code $out" "^0 whole +build build-id in $PWD/.next: [0-9]+ files$"
nc check-build .next --json
is 'as JSON' "$code $(json '[.build_id, (.problems | length)] | @csv')" '0 "build-id",0'
is 'with its handler' "$(json .handler)" "$PWD/node_modules/nextcache/cache-handler.js"

broken() { # WHAT COMMAND PATTERN: breaks a whole build and looks
  make_build
  eval "$2"
  nc check-build
  has "$1" "$code $(grep -c . <<<"$out") $out" "^1 1 problem   $3"
}
make_build && rm .next/BUILD_ID && nc check-build
has 'no BUILD_ID' "$code $out" '^1 problem   BUILD_ID is missing; the build did not end'
broken 'an empty manifest' ': >.next/build-manifest.json' 'build-manifest\.json is empty; build again'
broken 'one that is cut short' 'echo "{" >.next/prerender-manifest.json' 'prerender-manifest\.json is not readable as JSON'
broken 'a script that is missing' 'rm .next/static/chunks/page.js' 'static/chunks/page\.js is missing'
broken 'a script that is empty' ': >.next/static/chunks/main.js' 'static/chunks/main\.js is empty'
broken 'a script that no manifest names' ': >.next/static/chunks/turbopack-page.js' \
  'static/chunks/turbopack-page\.js is empty; '
broken 'no static/ at all' 'rm -r .next/static' 'static is missing: .*copy \.next/static'
broken 'a page of the server' 'rm .next/server/app/page.js' 'server/app/page\.js is missing'
broken 'a prerendered page' 'rm .next/server/app/index.html' '/ was prerendered, and its file'
broken 'a handler that leads nowhere' 'rm node_modules/nextcache/cache-handler.js' \
  'required-server-files\.json cacheHandler ".*" leads nowhere; in next.config .*require\.resolve'
broken 'one for use cache that leads nowhere, in 15' \
  'sed -i "s|\"config\":{|&\"experimental\":{\"cacheHandlers\":{\"default\":\"gone.js\"}},|" .next/required-server-files.json' \
  'required-server-files\.json experimental\.cacheHandlers "gone\.js" leads nowhere'
if command -v node >/dev/null; then
  broken 'a handler that does not load' 'echo "require(\"./nothing\")" >node_modules/nextcache/cache-handler.js' \
    ".*cache-handler\.js does not load: Cannot find module '\./nothing'; npm ci"
  make_build
  sed -i 's|[^"]*cache-handler.js|../handler.mjs|' .next/required-server-files.json
  echo 'await null; export default class {}' >handler.mjs
  nc check-build
  has 'a handler that is an ES module' "$code $out" '^0 whole'
  echo 'import "./nothing.mjs";' >handler.mjs
  nc check-build
  has 'or one that does not load' "$code $out" '^1 .*handler\.mjs does not load: Cannot find module'
  printf '%s\n' 'for (let n = 3; n; n--) await new Promise((r) => setTimeout(r, 30 * console.log(n) || 30));' 'throw new Error("at last")' >handler.mjs
  nc check-build
  has 'or one that prints lines before' "$code $out" '^1 .*handler\.mjs does not load: at last; npm ci'
else
  ok 'a handler that does not load # SKIP no node'
fi
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null && setpriv --reuid=65534 --clear-groups node -v >/dev/null 2>&1; then
  make_build
  echo 'require("fs").writeFileSync(__dirname + "/who", `${process.getuid()} ${process.getgid()} ${process.getgroups()}`);' \
    >node_modules/nextcache/cache-handler.js
  chmod 755 "$scratch" "$work"
  chown -R 65534:65534 node_modules .next
  for command in check-build doctor recover; do
    nc $command
    is "$command: as root, the handler is loaded by its owner" "$(cat node_modules/nextcache/who)" '65534 65534 65534'
    rm node_modules/nextcache/who
  done
  chown 0:0 node_modules/nextcache/cache-handler.js
  nc check-build
  is 'or by that of the build' "$(cut -d' ' -f1 node_modules/nextcache/who)" 65534
else
  ok 'as root, the handler is loaded by its owner # SKIP not root, or no node'
fi
nc check-build nowhere
has 'no build' "$code $out" '^1 problem   \./nowhere is not there; next build'
nc check-build a b
is 'two' $code 2
