// The recorded vectors, and the small apps they are replayed in.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const zlib = require('node:zlib');
const { execFileSync } = require('node:child_process');

const HERE = path.resolve(__dirname, '..');

/** Which Next.js recorded a vector, by the start of its name. */
const VERSIONS = { 14: '14.2.35', 15: '15.5.29', 16: '16.4.6' };

class Vector {
  constructor(name) {
    this.name = name;
    this.layout = name.replace(/\.fs$/, '');
    this.major = Number.parseInt(name, 10);
    /** Recorded around Next's own cache, which reads the build output. */
    this.isOracle = name.endsWith('.fs');
    const packed = fs.readFileSync(path.join(HERE, 'traces', `${name}.jsonl.br`));
    const lines = zlib.brotliDecompressSync(packed).toString('utf8').split('\n').filter(Boolean);
    this.rows = lines.map((line, index) => ({ index, args: [], ...JSON.parse(line) }));
  }

  static names() {
    return fs.readdirSync(path.join(HERE, 'traces')).filter((name) => name.endsWith('.jsonl.br')).map((name) => name.replace('.jsonl.br', ''));
  }

  /** The app as `next build` left it, in `root`. Vectors that were recorded
   * with an empty store get no build output: there every page is a miss.
   * `next` is the folder of a Next.js to be installed in it. */
  makeApp(root, next) {
    const dist = path.join(root, '.next');
    fs.mkdirSync(dist, { recursive: true });
    fs.writeFileSync(path.join(root, 'package.json'), '{"private":true}');
    installNext(root, next, VERSIONS[this.major]);
    const only = this.isOracle ? [] : ['./BUILD_ID'];
    execFileSync('tar', ['-xzf', path.join(HERE, 'buildout', `${this.layout}.tar.gz`), '-C', dist, ...only]);
    fs.mkdirSync(path.join(dist, 'server'), { recursive: true });
    const app = { root, dist };
    if (this.isOracle) this.#setTimesOfBuild(app);
    return app;
  }

  /** Gives every file the time it had for the recording: the lastModified of
   * the first answer that came from it, else the start of the server. */
  #setTimesOfBuild({ dist }) {
    const started = this.rows.find((row) => row.label === 'server-start').t;
    setTimes(path.join(dist, 'server'), started);
    const seen = new Set();
    for (const { op, cls, args, result } of this.rows) {
      if (op !== 'get' || cls !== 'singular' || typeof result?.lastModified !== 'number' || seen.has(args[0])) continue;
      seen.add(args[0]);
      for (const file of filesOf(dist, pathOf(args[0]))) setTime(file, result.lastModified);
    }
  }
}

/** The pathname within a key, of either style. */
const pathOf = (key) => (key.includes('/$/') ? key.slice(key.indexOf('/$/') + 2) : key);

function filesOf(dist, pathname) {
  const roots = [path.join(dist, 'server/app'), path.join(dist, 'server/pages')];
  const suffixes = ['.html', '.body', '.rsc', '.json', '.meta'];
  return roots.flatMap((root) => suffixes.map((suffix) => path.join(root, pathname + suffix))).filter((file) => fs.existsSync(file));
}

/** Half a millisecond is added so that no rounding reaches the one before. */
const setTime = (file, ms) => fs.utimesSync(file, (ms + 0.5) / 1000, (ms + 0.5) / 1000);

function setTimes(folder, ms) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) setTime(path.join(entry.parentPath ?? entry.path, entry.name), ms);
  }
}

/** Where there is none at hand, the app has what tells its version. */
function installNext(root, next, version) {
  const folder = path.join(root, 'node_modules', 'next');
  fs.mkdirSync(path.dirname(folder));
  if (next) return fs.symlinkSync(next, folder);
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name: 'next', version }));
}

module.exports = { Vector, VERSIONS, setTime };
