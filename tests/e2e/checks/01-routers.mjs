// What both routers keep: prerendered pages, pages made on demand, route
// handlers, fetches; and how each is renewed by time, by tag and by path.
import assert from 'node:assert/strict';
import { shows, sameRender, sleep, stored, until } from '../lib/feature.mjs';
import { atLeast } from '../lib/versions.mjs';
import { Page } from '../lib/page.mjs';

const builds = ['webpack', 'turbopack'];

const prerendered = (site, router, path) => new Page({ headers: new Headers() }, Buffer.from(site.prerendered(router, path)));

/** A navigation to a page shows the render of the page; in Next.js 14, which
 *  renders twice for the two, only the same value. */
async function navigatesTo(t, server, path, page) {
  const navigation = await server.navigate(path);
  assert.match(navigation.headers.get('content-type'), /text\/x-component/);
  if (t.major === 14) shows(navigation, page.value, path);
  else sameRender(page, navigation, path);
  sameRender(navigation, await server.navigate(path), path);
}

async function readThrough(t, site, server) {
  await t.check('a prerendered page is served from the build, for a page and for a navigation', async () => {
    const page = await server.get('/blog/a');
    shows(page, '1');
    assert.equal(page.cache, 'HIT');
    sameRender(prerendered(site, 'app', 'blog/a'), page);
    await navigatesTo(t, server, '/blog/a', page);
    sameRender(prerendered(site, 'app', 'index'), await server.get('/'));
  });
}

async function onDemand(t, server) {
  await t.check('a page made on demand is kept: dynamic parameters, Unicode, long paths', async () => {
    for (const slug of ['new', 'h%C3%A9llo%20w%C3%B6rld', '%E4%B8%96%E7%95%8C', 'x'.repeat(300)]) {
      const first = await server.get(`/blog/${slug}`);
      shows(first, '1', slug);
      assert.equal(first.cache, 'MISS', slug);
      await stored(t);
      const second = await server.get(`/blog/${slug}`);
      assert.equal(second.cache, 'HIT', slug);
      sameRender(first, second, slug);
      await navigatesTo(t, server, `/blog/${slug}`, first);
    }
  });
  await t.check('notFound() and redirect() are kept', async () => {
    t.origin.set('post/none', null);
    assert.deepEqual((await Promise.all([server.get('/blog/none'), server.get('/blog/none')])).map(({ status }) => status), [404, 404]);
    for (let n = 0; n < 2; n += 1) {
      // From its cache, Next.js 16 says the location twice, and 14 not at all.
      const moved = await server.get('/blog/moved');
      assert.equal(moved.status, 307);
      assert.equal(moved.headers.get('location')?.split(', ')[0] ?? '/blog/a', '/blog/a');
    }
  });
}

async function routeHandlers(t, server) {
  await t.check('a route handler is kept to the byte, with status and headers', async () => {
    const [first, second] = [await server.get('/api/cached'), await server.get('/api/cached')];
    for (const answer of [first, second]) {
      assert.equal(answer.status, 203);
      assert.equal(answer.headers.get('content-type'), 'application/octet-stream');
      assert.equal(answer.headers.get('x-list'), 'a, b');
      assert.deepEqual(answer.bytes, Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)));
    }
    assert.equal(second.headers.get('x-made'), first.headers.get('x-made'));
  });
  await t.check('a route handler with parameters is kept, and obeys its tag', async () => {
    const first = await server.get('/api/item/7');
    await stored(t);
    assert.equal((await server.get('/api/item/7')).json.made, first.json.made);
    t.origin.set('item/7', '2');
    await server.revalidateTag('item-7');
    assert.equal((await server.get('/api/item/7')).json.value, '2');
  }, { own: 'in 14 it does not look at the tags of route handlers' });
}

async function fetches(t, server) {
  await t.check('fetches and unstable_cache are kept as each asks for it', async () => {
    const first = await server.get('/fetches');
    assert.equal(first.status, 200, first.text.slice(0, 500));
    assert.equal(first.data('bytes'), '0080ffc328');
    assert.equal(first.data('nothing'), 'undefined');
    for (const name of ['fetch/tagged', 'fetch/timed', 'fetch/unicode', 'fetch/fresh', 'fetch/post', 'function/a']) t.origin.set(name, '2');
    const second = await server.get('/fetches');
    assert.deepEqual(['tagged', 'unicode', 'first', 'second', 'function'].map((name) => second.data(name)), ['1', '1', '1', '1', '1']);
    assert.equal(second.data('fresh'), '2');
    assert.equal(t.origin.asked('fetch/post'), 2, 'two bodies are two fetches');
    assert.equal(t.origin.asked('nothing'), 1, 'undefined is a value');
  });
  await t.check('a fetch is renewed by time and by tag', async () => {
    const timed = await until(() => server.get('/fetches'), (page) => page.data('timed') === '2');
    assert.equal(timed.data('timed'), '2');
    await server.revalidateTag('tagged');
    const tagged = await server.get('/fetches');
    assert.deepEqual([tagged.data('tagged'), tagged.data('first'), tagged.data('function')], ['2', '1', '1']);
    await server.revalidateTag('function');
    assert.equal((await server.get('/fetches')).data('function'), '2');
    await server.revalidateTag('schlüssel');
    assert.equal((await server.get('/fetches')).data('unicode'), '2');
  });
}

async function renewal(t, server) {
  await t.check('a page is renewed by time: STALE once, then fresh', async () => {
    const first = await until(() => server.get('/timed'), (page) => page.cache === 'HIT');
    t.origin.set('timed', '2');
    await sleep(1500);
    const stale = await server.get('/timed');
    assert.equal(stale.cache, 'STALE');
    sameRender(first, stale);
    shows(await until(() => server.get('/timed'), (page) => page.value === '2'), '2');
  });
  await t.check('revalidateTag renews pages of the build and pages made on demand', async () => {
    await server.get('/blog/tag');
    for (const slug of ['b', 'tag']) t.origin.set(`post/${slug}`, '2');
    await server.revalidateTag('post-b');
    shows(await server.get('/blog/b'), '2', 'b');
    shows(await server.get('/blog/tag'), '1', 'another tag');
    await server.revalidateTag('posts');
    shows(await server.get('/blog/tag'), '2', 'tag');
  });
  await t.check('revalidatePath renews one page, a route, and all below a layout', async () => {
    const change = (value) => ['path', 'other'].forEach((slug) => t.origin.set(`post/${slug}`, value));
    for (const slug of ['path', 'other']) await server.get(`/blog/${slug}`);
    change('2');
    await server.revalidatePath('/blog/path');
    shows(await server.get('/blog/path'), '2');
    shows(await server.get('/blog/other'), '1', 'another page');
    change('3');
    await server.revalidatePath('/blog/[slug]', 'page');
    shows(await server.get('/blog/path'), '3', 'of the route');
    shows(await server.get('/blog/other'), '3', 'of the route');
    change('4');
    await server.revalidatePath('/', 'layout');
    shows(await server.get('/blog/path'), '4', 'below the layout');
  });
  await t.check('revalidatePath finds a path with letters beyond ASCII', async () => {
    shows(await server.get('/blog/%C3%A9t%C3%A9'), '1');
    t.origin.set('post/été', '2');
    await server.revalidatePath('/blog/été');
    shows(await server.get('/blog/%C3%A9t%C3%A9'), '2');
  }, { own: 'in 14 and 15 the path is compared with its percent-encoded form and never matches; here both are decoded' });
}

const appRouter = {
  id: 'app-router', title: 'App router', builds,
  async run(t) {
    const site = t.site();
    const server = await site.start();
    await readThrough(t, site, server);
    await onDemand(t, server);
    await routeHandlers(t, server);
    await fetches(t, server);
    await renewal(t, server);
  },
};

async function staticProps(t, site, server) {
  await t.check('prerendered pages are served from the build, as HTML and as data', async () => {
    const page = await server.get('/p/one');
    shows(page, '1');
    assert.equal(page.cache, 'HIT');
    sameRender(prerendered(site, 'pages', 'p/one'), page);
    sameRender(page, await server.get(`/_next/data/${site.buildId()}/p/one.json`));
    sameRender(prerendered(site, 'pages', 'plain'), await server.get('/plain'));
  });
  await t.check('fallback: blocking makes a page once', async () => {
    for (const id of ['new', '%C3%A9t%C3%A9']) {
      const first = await server.get(`/p/${id}`);
      shows(first, '1', id);
      assert.equal(first.cache, 'MISS');
      await stored(t);
      const second = await server.get(`/p/${id}`);
      assert.equal(second.cache, 'HIT');
      sameRender(first, second);
      sameRender(first, await server.get(`/_next/data/${site.buildId()}/p/${id}.json`), 'data');
    }
  });
  await t.check('fallback: true shows the shell, then the page', async () => {
    assert.equal((await server.get('/f/x')).value, 'loading');
    const data = await server.get(`/_next/data/${site.buildId()}/f/x.json`);
    shows(data, '1');
    await stored(t);
    sameRender(data, await server.get('/f/x'));
    assert.equal((await server.get('/f/y')).value, 'loading', 'another one begins with the shell');
  });
  await t.check('notFound and redirect are kept', async () => {
    t.origin.set('page/none', null);
    for (let n = 0; n < 2; n += 1) {
      assert.equal((await server.get('/p/none')).status, 404);
      const moved = await server.get('/p/moved');
      assert.deepEqual([moved.status, moved.headers.get('location')], [307, '/p/one']);
      await stored(t);
    }
    assert.equal(t.origin.asked('page/none'), 1, 'a page that is not there is asked for once');
  });
  await t.check('res.revalidate renews a page, and makes one that was not there', async () => {
    t.origin.set('page/one', '2');
    t.origin.set('page/none', '2');
    for (const id of ['one', 'none']) {
      assert.equal((await server.get(`/api/revalidate?path=/p/${id}`)).status, 200);
      shows(await server.get(`/p/${id}`), '2', id);
    }
  });
}

const pagesRouter = {
  id: 'pages-router', title: 'Pages router', builds,
  async run(t) {
    const site = t.site();
    await staticProps(t, site, await site.start());
  },
};

const NO_TAGS = "Next's own cache gives such pages no tag, so that nothing matches; only res.revalidate renews them";

const pagesPaths = {
  id: 'pages-revalidate-path', title: 'revalidatePath for pages of the Pages router', builds: ['webpack'],
  async run(t) {
    const site = t.site();
    const [one, two] = [await site.start(), await site.start()];
    await t.check('by path, here and in another process', async () => {
      for (const server of [one, two]) for (const id of ['two', 'path']) await server.get(`/p/${id}`);
      for (const id of ['two', 'path']) {
        t.origin.set(`page/${id}`, '2');
        await one.revalidatePath(`/p/${id}`);
        shows(await two.get(`/p/${id}`), '2', id);
        shows(await one.get(`/p/${id}`), '2', id);
      }
    }, { own: NO_TAGS });
    await t.check('by a path with letters beyond ASCII', async () => {
      shows(await one.get('/p/%C3%A9t%C3%A9'), '1');
      t.origin.set('page/été', '2');
      await one.revalidatePath('/p/été');
      shows(await one.get('/p/%C3%A9t%C3%A9'), '2');
    }, { own: NO_TAGS });
    await t.check('by the route, for all its pages', async () => {
      for (const id of ['one', 'path']) {
        await one.get(`/p/${id}`);
        t.origin.set(`page/${id}`, '3');
      }
      await one.revalidatePath('/p/[id]', 'page');
      for (const id of ['one', 'path']) shows(await two.get(`/p/${id}`), '3', id);
    }, { own: NO_TAGS });
    await t.check('a renewed page is kept again', async () => {
      const first = await one.get('/p/path');
      sameRender(first, await one.get('/p/path'));
      sameRender(first, await two.get('/p/path'));
    }, { own: 'each process has a memory of its own, and goes on with the page that it made itself' });
  },
};

/**
 * A page that was missing at build. Before 16.3 no handler can make Next.js render before it
 * answers: the first request still gets 404, and starts the render.
 */
const rendered = (t, server, path) =>
  atLeast(t.version, '16.3.0') ? server.get(path) : until(() => server.get(path), (page) => page.status === 200);

const localized = {
  id: 'pages-locales', title: 'revalidatePath for pages of the Pages router with locales and trailing slashes', builds: ['i18n'],
  async run(t) {
    const site = t.site();
    const [one, two] = [await site.start(), await site.start()];
    const pages = {
      '/': 'home/en', '/de-AT/': 'home/de-AT', '/about/': 'about/en', '/de-AT/about/': 'about/de-AT',
      '/p/one/': 'page/one/en', '/de-AT/p/one/': 'page/one/de-AT', '/p/made/': 'page/made/en',
    };
    let round = 1;
    /** Invalidates by one process, and gives back which pages the other shows anew. */
    const renewedBy = async (path, type) => {
      for (const asked of Object.keys(pages)) shows(await two.get(asked), String(round), asked);
      round += 1;
      for (const name of Object.values(pages)) t.origin.set(name, String(round));
      await one.revalidatePath(path, type);
      const renewed = [];
      for (const asked of Object.keys(pages)) if ((await two.get(asked)).value === String(round)) renewed.push(asked);
      // For the next round, all are to show the same.
      await one.revalidatePath('/', 'layout');
      return renewed;
    };
    const rows = [
      ['/', undefined, ['/', '/de-AT/']],
      ['/index', undefined, ['/', '/de-AT/']],
      ['/de-AT', undefined, ['/de-AT/']],
      ['/about', undefined, ['/about/', '/de-AT/about/']],
      ['/about/', undefined, ['/about/', '/de-AT/about/']],
      ['/de-AT/about', undefined, ['/de-AT/about/']],
      ['/en/about/', undefined, ['/about/']],
      ['/p/one', undefined, ['/p/one/', '/de-AT/p/one/']],
      ['/p/[id]', 'page', ['/p/one/', '/de-AT/p/one/', '/p/made/']],
      ['/p', 'layout', ['/p/one/', '/de-AT/p/one/', '/p/made/']],
      ['/', 'layout', Object.keys(pages)],
    ];
    await t.check('by path, with a slash at its end, with and without the locale, by the route and by the layout', async () => {
      for (const [path, type, expected] of rows) assert.deepEqual(await renewedBy(path, type), expected, `${path} ${type}`);
    }, { own: NO_TAGS });
    await t.check('what was missing at build, in each locale', async () => {
      const late = ['en', 'de-AT'].map((locale) => [locale === 'en' ? '/p/late/' : `/${locale}/p/late/`, `page/late/${locale}`]);
      for (const [, name] of late) t.origin.set(name, null);
      for (const server of [one, two]) for (const [path] of late) assert.equal((await server.get(path)).status, 404, path);
      for (const [, name] of late) t.origin.set(name, '2');
      await one.revalidatePath('/p/late');
      for (const server of [one, two]) for (const [path] of late) shows(await rendered(t, server, path), '2', path);
    }, { own: 'such pages have no tag, and what was notFound at build is answered 404 without rendering' });
  },
};

const missing = {
  id: 'missing-at-build', title: 'A product that was missing at build appears after revalidatePath', builds: ['webpack'],
  async run(t) {
    const site = t.site();
    for (const name of ['post/late', 'page/late']) t.origin.set(name, null);
    const [one, two] = [await site.start(), await site.start()];
    await t.check('App router, in the process that was told and in another', async () => {
      for (const server of [one, two]) assert.equal((await server.get('/blog/late')).status, 404);
      t.origin.set('post/late', '2');
      await one.revalidatePath('/blog/late');
      for (const server of [one, two]) shows(await server.get('/blog/late'), '2');
    }, { own: 'tags are known to one process only' });
    await t.check('Pages router, in the process that was told and in another', async () => {
      for (const server of [one, two]) assert.equal((await server.get('/p/late')).status, 404);
      t.origin.set('page/late', '2');
      await one.revalidatePath('/p/late');
      for (const server of [one, two]) shows(await rendered(t, server, '/p/late'), '2');
    }, { own: 'such pages have no tag, and what was notFound at build is answered 404 without rendering' });
  },
};

export const features = [appRouter, pagesRouter, pagesPaths, localized, missing];
