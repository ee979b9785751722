// A cache directory that cannot be used: one warning, a working site.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesBelow } from './lib/tree.mjs';
import { until } from './lib/until.mjs';
import { Visitor } from './lib/visitor.mjs';

const NOBODY = 65534;
const isRoot = process.getuid() === 0;

/** Mounts a tmpfs; the reason when that is not permitted. */
function mount(folder, options) {
  mkdirSync(folder, { recursive: true });
  const { status, stderr, error } = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { encoding: 'utf8' });
  return status === 0 ? null : (stderr || error?.message || 'mount failed').trim();
}

const unmount = (folder) => spawnSync('umount', ['-l', folder]);

function warnings(server) {
  return server.log.split('\n').filter((line) => /^nextcache: (?!ready)/.test(line));
}

/** What a working site does, cached or not. */
async function works(t, server) {
  // Each of these caches is new and knows no change made under another.
  await t.backOffice.reset();
  for (const path of ['/', '/about', '/categories/lamps', '/products/juniper-teapot', '/help/repairs', '/api/catalogue', '/media/holm-rug.png', '/offers/today']) {
    const page = await server.get(path);
    assert.ok([200, 307].includes(page.status), `${path} answers ${page.status}`);
  }
  const slug = 'alder-dining-chair';
  const { price } = await t.backOffice.product(slug);
  assert.equal((await server.get(`/products/${slug}`)).price, price);
  const admin = await Visitor.admin(server);
  await admin.changeProduct(slug, { price: price + 100 });
  assert.equal((await server.get(`/products/${slug}`)).price, price + 100);
  // The memory tier goes on.
  const first = await server.get('/products/juniper-teapot');
  assert.equal((await server.get('/products/juniper-teapot')).madeAt, first.madeAt);
}

/** The site works without its directory, and says so in one line a minute. */
async function worksWithOneWarning(t, server, pattern) {
  await works(t, server);
  await until('the warning', () => warnings(server).length > 0);
  const minutes = 1 + Math.floor((Date.now() - server.startedAt) / 60_000);
  const lines = warnings(server);
  assert.ok(lines.length <= minutes, `in ${minutes} min:\n${lines.join('\n')}`);
  for (const line of lines) assert.match(line, pattern);
}

const FILE_SYSTEMS = [
  ['a full file system', 'full', 'size=256k', /full\/cache/],
  // There is room for the index here, and for nothing beside it.
  ['a file system that is full beside the index', 'almost-full', 'size=8m', /almost-full\/cache is full/],
  ['a read-only file system', 'frozen', 'ro', /frozen\/cache/],
];

async function onFileSystem(t, tree, what, folder, options, warning) {
  const refused = mount(folder, options);
  if (refused) {
    t.skip(what, refused);
    return;
  }
  try {
    await t.check(`${what}: one warning, a working site`, async () => {
      const server = await tree.start({ NEXT_CACHE_DIR: join(folder, 'cache') });
      await worksWithOneWarning(t, server, warning);
      await server.stop();
    });
  } finally {
    unmount(folder);
  }
}

export async function run(t) {
  const tree = await t.tree();

  await t.check('a missing directory, and its parents, are made: no warning', async () => {
    const missing = join(tree.folder, 'not/yet/there');
    const server = await tree.start({ NEXT_CACHE_DIR: missing });
    await works(t, server);
    assert.deepEqual(warnings(server), []);
    assert.ok(filesBelow(missing).length > 0);
    await server.stop();
  });

  await t.check('an unwritable directory: one warning, a working site', async () => {
    // Not even root can make a file there.
    const server = await tree.start({ NEXT_CACHE_DIR: '/proc/nextcache' });
    await worksWithOneWarning(t, server, /\/proc\/nextcache/);
    await server.stop();
  });

  await t.check('a file where the directory should be: one warning, a working site', async () => {
    const file = join(tree.folder, 'a-file');
    writeFileSync(file, 'not a directory');
    const server = await tree.start({ NEXT_CACHE_DIR: file });
    await worksWithOneWarning(t, server, /a-file/);
    await server.stop();
  });

  for (const [what, folder, options, warning] of FILE_SYSTEMS) await onFileSystem(t, tree, what, join(tree.folder, folder), options, warning);

  if (!isRoot) {
    t.skip('a directory that belongs to another user', 'this check must be started as root');
    return;
  }

  await t.check('a forbidden directory: one warning, a working site', async () => {
    const forbidden = join(tree.folder, 'forbidden');
    mkdirSync(forbidden);
    chmodSync(forbidden, 0o700);
    const server = await tree.start({ NEXT_CACHE_DIR: forbidden }, { uid: NOBODY, gid: NOBODY });
    await worksWithOneWarning(t, server, /forbidden/);
    await server.stop();
  });

  await t.check('a tree built as root, run as another user with one writable directory', async () => {
    const writable = join(tree.folder, 'volume');
    mkdirSync(writable);
    // As a Kubernetes volume is: root's, writable through its group.
    chownSync(writable, 0, NOBODY);
    chmodSync(writable, 0o2775);
    const start = () => tree.start({ NEXT_CACHE_DIR: writable }, { uid: NOBODY, gid: NOBODY });
    const first = await start();
    await works(t, first);
    assert.deepEqual(warnings(first), []);
    const { madeAt } = await first.get('/products/juniper-teapot');
    await first.kill();
    const second = await start();
    assert.equal((await second.get('/products/juniper-teapot')).madeAt, madeAt, 'it is kept over a restart');
    assert.ok(filesBelow(writable).length > 0);
  });
}
