'use strict';
// Run by npm after the package was installed. Where a package of binaries fits there
// is nothing to do; elsewhere addon and tool are compiled from native/, if this
// machine can. Nothing that goes wrong here fails the installation: without the addon
// Next's own cache serves, and one line in the log says so.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const sources = path.join(__dirname, '../native');
const build = path.join(sources, 'build');

function loads() {
  try {
    require('../lib/binaries').loadAddon();
    return true;
  } catch {
    return false;
  }
}

function run(command, args) {
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
  if (error) throw new Error(`${command}: ${error.message}`);
  if (status !== 0) throw new Error(`${command} failed: ${stderr.trim().split('\n').slice(-3).join(' | ')}`);
}

function compile() {
  // Node's own headers lie beside node, unless a distribution split them off.
  const include = path.resolve(process.execPath, '../../include/node');
  if (!fs.existsSync(path.join(include, 'node_api.h'))) throw new Error(`node_api.h is not in ${include}`);
  run('cmake', ['-S', sources, '-B', build, '-DNXC_BUILD_TESTS=OFF', '-DNXC_BUILD_NODE=ON', '-DNXC_NODE_IN_PLACE=OFF', `-DNXC_NODE_INCLUDE=${include}`]);
  run('cmake', ['--build', build, '--target', 'nextcache_node', 'nextcache_cli']);
  fs.copyFileSync(path.join(build, 'bindings/node/nextcache.node'), path.join(__dirname, '../nextcache.node'));
  fs.copyFileSync(path.join(build, 'nextcache'), path.join(__dirname, 'nextcache'));
}

if (!loads() && process.platform === 'linux') {
  try {
    compile();
    fs.rmSync(build, { recursive: true, force: true });
  } catch (error) {
    console.warn(`nextcache: not compiled (${error.message}); Next's own cache will serve`);
  }
}
