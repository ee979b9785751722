// npx nextcache init and npx nextcache uninstall, on configurations as people
// have them: Next.js itself reads what comes out.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, test } from 'node:test';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const modules = join(root, 'examples/storefront/node_modules');
const launcher = join(modules, 'nextcache/bin/nextcache.js');
const made = [];
after(() => made.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** A project with these files, and the shop's packages; `next` may pretend to be another release. */
function project(files, { version } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'nextcache-setup-'));
  made.push(folder);
  if (version === undefined) {
    symlinkSync(modules, join(folder, 'node_modules'));
  } else {
    mkdirSync(join(folder, 'node_modules/next'), { recursive: true });
    writeFileSync(join(folder, 'node_modules/next/package.json'), JSON.stringify({ name: 'next', version }));
    symlinkSync(join(modules, 'next/dist'), join(folder, 'node_modules/next/dist'));
    symlinkSync(join(modules, 'nextcache'), join(folder, 'node_modules/nextcache'));
  }
  for (const [name, text] of Object.entries({ 'package.json': '{}', ...files })) writeFileSync(join(folder, name), text);
  return folder;
}

function nextcache(folder, ...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [launcher, ...args], { cwd: folder, encoding: 'utf8' });
  return { code: status, out: stdout, err: stderr };
}

/** The configuration as `next build` has it. */
function loaded(folder) {
  const script = `require('next/dist/server/config').default('phase-production-build', ${JSON.stringify(folder)}, { silent: true })
    .then((c) => console.log('\\n' + JSON.stringify({ h: c.cacheHandler, hs: c.cacheHandlers, s: c.serverExternalPackages, p: c.poweredByHeader, e: c.env })))`;
  const out = execFileSync(process.execPath, ['-e', script], { cwd: folder, encoding: 'utf8', env: { ...process.env, NODE_ENV: 'production' } });
  return JSON.parse(out.trim().split('\n').pop());
}

const SHAPES = {
  'next.config.js': {
    'module.exports of an object': 'module.exports = {\n  poweredByHeader: false,\n};\n',
    'one line, no comma': 'module.exports = { poweredByHeader: false }\n',
    'a name, a type in a comment': "/** @type {import('next').NextConfig} */\nconst nextConfig = {\n  poweredByHeader: false, // said by nobody\n}\n\nmodule.exports = nextConfig\n",
    'empty': 'module.exports = {};\n',
    'empty but for a comment': "module.exports = {\n  /* config options here */\n};\n",
    'a plugin around it': 'const withNothing = (config) => config;\nconst nextConfig = {\n\tpoweredByHeader: false\n};\nmodule.exports = withNothing(nextConfig);\n',
    'plugins with options': 'const withA = () => (config) => config;\nconst withB = (config, options) => config;\nmodule.exports = withA({ on: true })(withB({ poweredByHeader: false }, { silent: true }));\n',
    'a function': 'module.exports = async (phase, { defaultConfig }) => {\n  const nextConfig = {\n    poweredByHeader: false,\n  };\n  return nextConfig;\n};\n',
    'an arrow to an object': 'module.exports = () => ({\n  poweredByHeader: false,\n});\n',
    'spread, and a list of packages': "const base = { poweredByHeader: false };\nmodule.exports = {\n  ...base,\n  serverExternalPackages: ['sharp'],\n};\n",
    'a list on several lines': "module.exports = {\n  poweredByHeader: false,\n  serverExternalPackages: [\n    'sharp',\n    'pg',\n  ],\n};\n",
    'comments everywhere': '// one\nmodule.exports = {\n  // two\n  poweredByHeader: false,\n  // three\n  /* four */\n};\n// five\n',
  },
  'next.config.mjs': {
    'export default of an object': 'export default {\n  poweredByHeader: false,\n};\n',
    'lines as Windows ends them': "import path from 'node:path';\r\n\r\nexport default {\r\n  poweredByHeader: false,\r\n  env: { HERE: path.sep },\r\n};\r\n",
    'with imports': "import { fileURLToPath } from 'node:url';\nimport path from 'node:path';\n\nconst here = path.dirname(fileURLToPath(import.meta.url));\n\nconst nextConfig = {\n  poweredByHeader: false,\n  env: { HERE: here },\n};\n\nexport default nextConfig;\n",
  },
  'next.config.ts': {
    'a typed name': "import type { NextConfig } from 'next';\n\nconst nextConfig: NextConfig = {\n  poweredByHeader: false,\n};\n\nexport default nextConfig;\n",
    'satisfies': "import type { NextConfig } from 'next';\n\nexport default {\n  poweredByHeader: false,\n} satisfies NextConfig;\n",
  },
};

for (const [name, shapes] of Object.entries(SHAPES)) {
  for (const [shape, text] of Object.entries(shapes)) {
    test(`${name}: ${shape}: in, once more, and out again`, () => {
      const folder = project({ [name]: text });
      const before = loaded(folder);
      const init = nextcache(folder, 'init', '--yes');
      assert.equal(init.code, 0, init.out + init.err);
      assert.match(init.out, new RegExp(`--- ${name}`));
      const changed = readFileSync(join(folder, name), 'utf8');
      const config = loaded(folder);
      assert.equal(config.h, join(modules, 'nextcache/cache-handler.js'), changed);
      assert.deepEqual(Object.keys(config.hs), ['default', 'remote']);
      assert.ok(config.s.includes('nextcache'), changed);
      assert.equal(config.p, before.p);
      if (text.includes('\r')) assert.ok(!/[^\r]\n/.test(changed), JSON.stringify(changed));
      for (const line of text.split('\n')) if (line.startsWith('//')) assert.ok(changed.includes(line), line);

      const again = nextcache(folder, 'init', '--yes');
      assert.deepEqual([again.code, again.out.trim()], [0, 'All is there already.']);
      assert.equal(readFileSync(join(folder, name), 'utf8'), changed);

      const out = nextcache(folder, 'uninstall', '--yes');
      assert.equal(out.code, 0, out.out + out.err);
      const undone = readFileSync(join(folder, name), 'utf8');
      assert.ok(!undone.includes('nextcache'), undone);
      assert.deepEqual(loaded(folder), before);
      // A comma may stay where there was none, and a line may be broken.
      const shape_ = (source) => source.replace(/[\s,]/g, '');
      assert.equal(shape_(undone), shape_(text));
      assert.equal(existsSync(join(folder, '.env.production')), false);
    });
  }
}

test('type: module makes .js an ES module', () => {
  const folder = project({ 'package.json': '{ "type": "module" }', 'next.config.js': 'export default { poweredByHeader: false };\n' });
  assert.equal(nextcache(folder, 'init', '--yes').code, 0);
  assert.ok(loaded(folder).h.endsWith('cache-handler.js'));
  nextcache(folder, 'uninstall', '--yes');
  assert.equal(readFileSync(join(folder, 'next.config.js'), 'utf8').replace(/[\s,]/g, ''), 'exportdefault{poweredByHeader:false};');
});

test('next.config.mts is an ES module, which Next.js does not compile', () => {
  const text = "import type { NextConfig } from 'next';\n\nconst config: NextConfig = {\n  poweredByHeader: false,\n};\n\nexport default config;\n";
  const folder = project({ 'next.config.mts': text });
  assert.equal(nextcache(folder, 'init', '--yes').code, 0);
  assert.match(readFileSync(join(folder, 'next.config.mts'), 'utf8'), /^const require = createRequire\(import\.meta\.url\);$/m);
  // A Node.js that does not take types off by itself has no such file read.
  if (process.features.typescript) assert.ok(loaded(folder).h.endsWith('cache-handler.js'));
  nextcache(folder, 'uninstall', '--yes');
  assert.equal(readFileSync(join(folder, 'next.config.mts'), 'utf8'), text);
});

test('without a configuration one is made', () => {
  for (const [type, name] of [['commonjs', 'next.config.js'], ['module', 'next.config.mjs']]) {
    const folder = project({ 'package.json': JSON.stringify({ type }) });
    assert.equal(nextcache(folder, 'init', '--yes').code, 0);
    assert.ok(existsSync(join(folder, name)));
    assert.ok(loaded(folder).h.endsWith('cache-handler.js'));
  }
});

const NOT_UNDERSTOOD = {
  'computed elsewhere': "module.exports = require('./other.js');\n",
  'a function that may do anything': 'const make = (o) => o.config;\nmodule.exports = make({ config: {} });\n',
  'two returns': 'module.exports = (phase) => {\n  if (phase) return { a: 1 };\n  return { b: 1 };\n};\n',
  'another handler': "module.exports = { cacheHandler: require.resolve('./mine.js') };\n",
  'a list from elsewhere': "const list = ['a'].concat('b');\nmodule.exports = { serverExternalPackages: list };\n",
  'no export': 'const nextConfig = {};\n',
  'not JavaScript': 'module.exports = {\n',
};

for (const [what, text] of Object.entries(NOT_UNDERSTOOD)) {
  test(`not understood, not touched: ${what}`, () => {
    const folder = project({ 'next.config.js': text });
    const { code, out } = nextcache(folder, 'init', '--yes');
    assert.equal(code, 1);
    assert.equal(readFileSync(join(folder, 'next.config.js'), 'utf8'), text);
    assert.match(out, /next\.config\.js stays as it is: .*\n\n  cacheHandler: require\.resolve\('nextcache\/cache-handler'\),\n/);
  });
}

test('in a wrapper of ours: init works, uninstall leaves what would not start without the package', () => {
  const folder = project({ 'next.config.js':
    "const { withDirectHandler } = require('nextcache/next-config');\nmodule.exports = withDirectHandler({\n  poweredByHeader: false,\n});\n" });
  assert.equal(nextcache(folder, 'init', '--yes').code, 0);
  assert.ok(loaded(folder).h.endsWith('cache-handler.js'));
  const text = readFileSync(join(folder, 'next.config.js'), 'utf8');
  const { code, out } = nextcache(folder, 'uninstall', '--yes');
  assert.equal(code, 1);
  assert.match(out, /next\.config\.js stays as it is: it uses nextcache in another place, too\. Take out by hand what names nextcache\./);
  assert.equal(readFileSync(join(folder, 'next.config.js'), 'utf8'), text);
});

test('names of Next.js 14 and 15', () => {
  const text = 'module.exports = {\n  experimental: { useCache: true },\n};\n';
  const of = (version) => {
    const folder = project({ 'next.config.js': text }, { version });
    assert.equal(nextcache(folder, 'init', '--yes').code, 0);
    return readFileSync(join(folder, 'next.config.js'), 'utf8');
  };
  const evaluated = (source) => new Function('module', 'require', `${source}; return module.exports`)({}, { resolve: (name) => name });
  const handlers = { default: 'nextcache/use-cache-handler', remote: 'nextcache/use-cache-handler' };
  assert.deepEqual(evaluated(of('14.2.35')), {
    cacheHandler: 'nextcache/cache-handler', experimental: { useCache: true, serverComponentsExternalPackages: ['nextcache'] } });
  assert.deepEqual(evaluated(of('15.5.29')), {
    cacheHandler: 'nextcache/cache-handler', serverExternalPackages: ['nextcache'], experimental: { useCache: true, cacheHandlers: handlers } });
  assert.deepEqual(evaluated(of('17.0.0')).cacheHandlers, handlers);
  const old = nextcache(project({ 'next.config.js': text }, { version: '13.5.0' }), 'init', '--yes');
  assert.match(old.out, /Next\.js 13\.5\.0 is older than 14\.2/);
});

test('.env.production: lines that are missing are added, those of others stay', () => {
  const env = 'API=https://api.example.com\nNEXT_CACHE_MAX_DISK_SIZE=4GB';
  const folder = project({ 'next.config.js': 'module.exports = {};\n', '.env.production': env });
  nextcache(folder, 'init', '--yes');
  const text = readFileSync(join(folder, '.env.production'), 'utf8');
  assert.ok(text.startsWith(`${env}\n\n# nextcache`), text);
  assert.match(text, /\nNEXT_CACHE_DIR=\.cache\/nextcache\nNEXT_CACHE_MAX_MEMORY_SIZE=50MB\n$/);
  nextcache(folder, 'uninstall', '--yes');
  assert.equal(readFileSync(join(folder, '.env.production'), 'utf8'), 'API=https://api.example.com\n');
});

test('.env.production: settings with a colon, and lines as Windows ends them', () => {
  const env = 'API=https://api.example.com\r\nNEXT_CACHE_DIR: /var/cache/shop\r\nexport NEXT_CACHE_MAX_DISK_SIZE: 4GB\r\nNEXT_CACHE_MAX_MEMORY_SIZE = 8MB\r\n';
  const folder = project({ 'next.config.js': 'module.exports = {};\n', '.env.production': env });
  nextcache(folder, 'init', '--yes');
  assert.equal(readFileSync(join(folder, '.env.production'), 'utf8'), env);
  nextcache(folder, 'uninstall', '--yes');
  assert.equal(readFileSync(join(folder, '.env.production'), 'utf8'), 'API=https://api.example.com\r\n');
});

test('without --yes and without a terminal it shows, and changes nothing', () => {
  const folder = project({ 'next.config.js': 'module.exports = {};\n' });
  const { code, out, err } = nextcache(folder, 'init');
  assert.equal(code, 1);
  assert.match(out, /^\+ {2}cacheHandler: require\.resolve/m);
  assert.match(err, /nothing was changed; --yes/);
  assert.equal(readFileSync(join(folder, 'next.config.js'), 'utf8'), 'module.exports = {};\n');
  assert.equal(existsSync(join(folder, '.env.production')), false);
});

test('on a terminal it asks', () => {
  for (const [answer, changed] of [['n', false], ['', false], ['y', true]]) {
    const folder = project({ 'next.config.js': 'module.exports = {};\n' });
    spawnSync('script', ['-qec', `${process.execPath} ${launcher} init`, '/dev/null'], { cwd: folder, input: `${answer}\n` });
    assert.equal(readFileSync(join(folder, 'next.config.js'), 'utf8').includes('nextcache'), changed, JSON.stringify(answer));
  }
});

test('all other commands are those of the tool, with its exit code', () => {
  const folder = project({});
  assert.match(nextcache(folder, '--help').out, /init \[--yes\][\s\S]*usage: nextcache COMMAND/);
  assert.equal(nextcache(folder, 'stats', '--dir', 'nowhere').code, 3);
  assert.equal(nextcache(folder, 'nonsense').code, 2);
  assert.equal(nextcache(folder, 'toString').code, 2);
  assert.equal(nextcache(folder, 'init', '--nonsense').code, 2);
  assert.equal(nextcache(folder).code, 2);
});
