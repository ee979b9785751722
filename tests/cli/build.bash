# make_build: a small build output in .next of this directory, as Next.js 16 makes it.
make_build() {
  rm -rf .next
  mkdir -p .next/server/app .next/server/pages .next/static/chunks node_modules/nextcache
  echo '{"name":"shop"}' >package.json
  echo 'module.exports = class {};' >node_modules/nextcache/cache-handler.js
  cd .next || exit 2
  echo build-id >BUILD_ID
  echo 'x' >static/chunks/main.js
  echo 'x' >static/chunks/page.js
  echo 'x' >server/app/page.js
  echo 'x' >server/pages/_app.js
  echo '<html>' >server/app/index.html
  echo '{}' >server/app/route.meta
  echo '{"pages":{"/_app":["static/chunks/page.js"]},"rootMainFiles":["static/chunks/main.js"]}' >build-manifest.json
  echo '{"routes":{"/":{},"/route":{},"/gone":{}},"notFoundRoutes":["/gone"]}' >prerender-manifest.json
  echo '{}' >routes-manifest.json
  echo '{"/_app":"pages/_app.js"}' >server/pages-manifest.json
  echo '{"/page":"app/page.js","/edge":"app-edge-has-no-entrypoint"}' >server/app-paths-manifest.json
  echo '{"files":[".next/BUILD_ID"],"config":{"distDir":".next","cacheHandler":"../node_modules/nextcache/cache-handler.js","serverExternalPackages":["nextcache"]}}' >required-server-files.json
  cd ..
}
