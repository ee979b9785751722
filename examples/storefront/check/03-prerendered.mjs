// What the build made is served from the first request on, before anything was
// rendered at run time. Next.js never hands prerendered pages to the handler:
// it must read the build output itself.
import assert from 'node:assert/strict';

export async function run(t) {
  const tree = await t.tree();
  const server = await tree.start();
  const { routes } = tree.manifest();
  const paths = Object.keys(routes).filter((path) => path !== '/_not-found' && path !== '/_global-error');
  let silent = 0;

  await t.check(`the first request of each of ${paths.length} prerendered pages and routes is a HIT`, async () => {
    assert.ok(paths.length > 50);
    for (const path of paths) {
      const page = await server.get(path);
      assert.ok([200, 307].includes(page.status), `${path} answers ${page.status}`);
      const fresh = page.madeAt === null || page.madeAt < server.startedAt;
      assert.ok(fresh, `${path} was made again at run time`);
      if (page.cache === null && t.mode === 'cc') {
        // It postponed. Its shell is the build's: that alone says "prerender".
        assert.equal(page.headers.get('x-nextjs-prerender'), '1', path);
        silent += 1;
      } else assert.ok(page.cache === 'HIT' || page.cache === 'STALE', `${path} is ${page.cache}`);
    }
    if (t.mode === 'cc') assert.ok(silent > 20 && silent < paths.length - 20, `${silent} pages postponed`);
  });

  await t.check('and nothing was asked of the back office for them', () => {
    assert.deepEqual([...t.backOffice.counts], []);
  });
}
