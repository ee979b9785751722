// A new build on the old cache directory, with the same BUILD_ID: no page of
// the old build is served, and what was fetched for it is still there.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const TEXTS = [
  ['src/components/home-view.tsx', 'Things that stay', 'Things that last'],
  ['src/components/product-view.tsx', 'What customers say', 'What people say'],
  ['src/components/sku-view.tsx', 'Article number', 'Our number'],
  ['src/pages/help/[topic].tsx', 'We keep every spare part', 'We keep all spare parts'],
];

export async function run(t) {
  const tree = await t.tree({ sources: true });
  const { skus } = await t.backOffice.product('holm-rug');
  const pages = [['/', 0], ['/products/alder-dining-chair', 1], ['/products/holm-rug', 1], [`/products/holm-rug/${skus[0].sku}`, 2], ['/help/repairs', 3]];

  await t.check('a new build never serves a page of the old one; its fetches survive', async () => {
    const before = readFileSync(join(tree.folder, '.next/BUILD_ID'), 'utf8');
    const old = await tree.start();
    for (let turn = 0; turn < 3; turn++) {
      for (const [path, text] of pages) {
        const page = await old.get(path);
        assert.ok(page.text.includes(TEXTS[text][1]), `${path} of the old build`);
      }
    }
    await old.stop();

    for (const [file, from, to] of TEXTS) {
      const path = join(tree.folder, file);
      const source = readFileSync(path, 'utf8');
      assert.ok(source.includes(from), `${file} has the text`);
      writeFileSync(path, source.replaceAll(from, to));
    }
    t.backOffice.counts.clear();
    await tree.build();
    assert.equal(readFileSync(join(tree.folder, '.next/BUILD_ID'), 'utf8'), before, 'the BUILD_ID is the same');
    assert.equal(t.backOffice.asked('/products/alder-dining-chair'), 0, 'the build took its data from the fetch cache');

    const server = await tree.start();
    for (let turn = 0; turn < 3; turn++) {
      for (const [path, text] of pages) {
        const page = await server.get(path);
        assert.equal(page.status, 200, path);
        assert.ok(page.text.includes(TEXTS[text][2]), `${path} has the new text`);
        assert.ok(!page.text.includes(TEXTS[text][1]), `${path} has the old text`);
      }
    }
    assert.equal(t.backOffice.asked('/products/holm-rug'), 0, 'the server took its data from the fetch cache');
  });
}
