// What only a browser does: prefetching links, navigating without loading a
// document, and server actions with scripts.
import assert from 'node:assert/strict';
import { installPlaywright } from '../lib/install.mjs';
import { atLeast } from '../lib/versions.mjs';
import { until } from '../lib/feature.mjs';
import { RESULTS_INSIDE } from './04-use-cache.mjs';

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
// A handler that loses segments makes the router ask for ever.
const MOST_REQUESTS = 60;

/** A visitor: the page, and what it asked for and stumbled over. */
async function visit(browser, server, path) {
  const page = await (await browser.newContext()).newPage();
  const seen = { errors: [], navigations: [], bad: [] };
  page.on('pageerror', (error) => seen.errors.push(String(error)));
  page.on('response', (response) => {
    const asked = response.request();
    if (asked.headers().rsc || asked.url().includes('/_next/data/')) seen.navigations.push(asked.url());
    if (response.status() >= 400 && !asked.url().endsWith('/favicon.ico')) seen.bad.push(`${response.status()} ${asked.url()}`);
  });
  await page.goto(server.url + path, { waitUntil: 'networkidle' });
  await page.evaluate(() => { window.sameDocument = true; });
  return { page, seen };
}

/** Until the router has asked for what it prefetches, and was answered: a link
 *  that is followed before leads to other requests. */
async function prefetched({ page, seen }, link) {
  const isOf = (path) => path.endsWith(link) || path.endsWith(`${link}.json`);
  const asked = () => seen.navigations.filter((url) => isOf(new URL(url).pathname)).length;
  let before = -1;
  await until(async () => {
    const [last, now] = [before, asked()];
    before = now;
    await page.waitForTimeout(300);
    return now > 0 && now === last;
  }, Boolean, 3000);
}

/** Until React has made a link its own: a click before that loads a document. */
async function hydrated({ page }, link) {
  const isKnown = (selector) => Object.keys(document.querySelector(selector) ?? {}).some((name) => name.startsWith('__react'));
  await page.waitForFunction(isKnown, `[data-link="${link}"]`, { timeout: 60_000 });
}

/** Follows a link and waits for the page that it leads to. */
async function follow(visitor, link, selector) {
  await hydrated(visitor, link);
  await prefetched(visitor, link);
  await visitor.page.click(`[data-link="${link}"]`);
  await visitor.page.waitForSelector(selector, { timeout: 60_000 });
}

const value = ({ page }, selector) => page.getAttribute(selector, 'data-value');

async function wasSmooth({ page, seen }) {
  assert.deepEqual([seen.errors, seen.bad], [[], []]);
  assert.equal(await page.evaluate(() => window.sameDocument), true, `no document was loaded, after ${seen.navigations.join('\n')}`);
  assert.ok(seen.navigations.length > 0, 'the router asked the server');
  assert.ok(seen.navigations.length < MOST_REQUESTS, `it asked ${seen.navigations.length} times`);
}

async function withBrowser(work) {
  const browser = await installPlaywright().chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: FLAGS });
  try {
    await work(browser);
  } finally {
    await browser.close();
  }
}

const routers = {
  id: 'browser', title: 'Client navigation and prefetch in Chromium', builds: ['webpack', 'turbopack'],
  async run(t) {
    const server = await t.site().start();
    await withBrowser(async (browser) => {
      await t.check('App router: prefetched links, forth and back', async () => {
        for (let round = 0; round < 2; round += 1) {
          const visitor = await visit(browser, server, '/');
          await follow(visitor, '/blog/a', '[data-slug="a"]');
          assert.equal(await value(visitor, '[data-slug="a"]'), '1');
          await follow(visitor, '/blog/b', '[data-slug="b"]');
          await follow(visitor, '/', '[data-page="home"]');
          await follow(visitor, '/timed', '[data-page="timed"]');
          await wasSmooth(visitor);
        }
      });
      await t.check('what was revalidated is what a navigation shows', async () => {
        t.origin.set('post/b', '2');
        await server.revalidateTag('post-b');
        const visitor = await visit(browser, server, '/');
        await follow(visitor, '/blog/b', '[data-slug="b"]');
        assert.equal(await value(visitor, '[data-slug="b"]'), '2');
        await wasSmooth(visitor);
      });
      await t.check('a server action shows what it changed', async () => {
        const visitor = await visit(browser, server, '/actions');
        t.origin.set('post/action', '2');
        await visitor.page.click('button');
        assert.equal(await until(() => value(visitor, '[data-page="actions"]'), (seen) => seen === '2'), '2');
      });
      await t.check('Pages router: by data, without a document', async () => {
        const visitor = await visit(browser, server, '/p/one');
        await follow(visitor, '/p/two', '[data-id="two"]');
        assert.equal(await value(visitor, '[data-id="two"]'), '1');
        await wasSmooth(visitor);
      });
    });
  },
};

const useCache = {
  id: 'use-cache-browser', title: "Client navigation with 'use cache' in Chromium", builds: ['use-cache'],
  async run(t) {
    const server = await t.site().start();
    // Without partial prefetching (16.3), Next.js 16 answers 404 to a navigation
    // to a page that was invalidated, with any cache, and loads the document.
    const isSmooth = t.major === 15 || atLeast(t.version, '16.3.0');
    await withBrowser((browser) => t.check('pages of the build, before and after an invalidation', async () => {
      for (const expected of ['1', '2']) {
        const visitor = await visit(browser, server, '/');
        await follow(visitor, '/item/a', '[data-page="item"]');
        assert.equal(await value(visitor, '[data-page="item"]'), expected);
        if (expected === '1' || isSmooth) await wasSmooth(visitor);
        t.origin.set('item/a', '2');
        await server.revalidateTag('item-a');
      }
    }, { own: RESULTS_INSIDE }));
  },
};

export const features = [routers, useCache];
