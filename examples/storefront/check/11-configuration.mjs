// What .env.production says is what holds; what it says wrongly is told in one
// line and takes nothing down.
import assert from 'node:assert/strict';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesBelow } from './lib/tree.mjs';
import { until } from './lib/until.mjs';
import { Visitor } from './lib/visitor.mjs';

const MB = 2 ** 20;

export async function run(t) {
  const tree = await t.tree();

  await t.check('the sizes of .env.production hold; the environment wins over it', async () => {
    tree.clearCache();
    const server = await tree.start({ NEXT_CACHE_MAX_DISK_SIZE: '32MB' });
    await server.get('/');
    const { memoryLimitBytes, diskLimitBytes, disk } = await server.stats();
    assert.deepEqual([memoryLimitBytes, diskLimitBytes, disk], [64 * MB, 32 * MB, true]);
    await server.stop();
  });

  await t.check('a wrong value: one line with the variable, the value and what is right', async () => {
    const server = await tree.start({ NEXT_CACHE_MAX_MEMORY_SIZE: '64 apples' });
    for (const path of ['/', '/products/holm-rug', '/products/holm-rug']) assert.equal((await server.get(path)).status, 200);
    const told = () => server.log.split('\n').filter((line) => /nextcache: (?!ready)/.test(line));
    await until('the line', () => told().length > 0);
    const lines = told();
    assert.equal(lines.length, 1, lines.join('\n'));
    for (const part of ['NEXT_CACHE_MAX_MEMORY_SIZE', '64 apples', '64MB']) assert.ok(lines[0].includes(part), lines[0]);
    await server.stop();
  });

  await t.check('NEXT_CACHE_ENGINE=next hands over to Next.js’ own cache', async () => {
    tree.clearCache();
    const server = await tree.start({ NEXT_CACHE_ENGINE: 'next' });
    const { price } = await t.backOffice.product('birk-pendant');
    assert.equal((await server.get('/products/birk-pendant')).price, price);
    await (await Visitor.admin(server)).changeProduct('birk-pendant', { price: price + 100 });
    assert.equal((await server.get('/products/birk-pendant')).price, price + 100);
    assert.deepEqual(filesBelow(tree.cache), []);
    await server.stop();
  });

  await t.check('NEXT_CACHE_HANDLER_PATH in .env.production is obeyed', async () => {
    writeFileSync(join(tree.folder, 'handler.cjs'), `
      const CacheHandler = require('nextcache/cache-handler');
      module.exports = class extends CacheHandler {
        async get(...args) { console.log('a handler of its own'); return super.get(...args); }
      };`);
    appendFileSync(join(tree.folder, '.env.production'), `\nNEXT_CACHE_HANDLER_PATH=${join(tree.folder, 'handler.cjs')}\n`);
    const server = await tree.start();
    assert.equal((await server.get('/about')).status, 200);
    await until('the line of the handler', () => server.log.includes('a handler of its own'));
  });
}
