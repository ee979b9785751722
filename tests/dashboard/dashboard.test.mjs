// The dashboard in a browser: what it shows, that it moves, who may see it, and that
// nothing it does leaves the machine. NXC_PICTURES=1 writes the pictures of docs/.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { look, openBrowser, Project, root, Server, sleep, startDashboard, tool, until } from './support.mjs';
import { stock, traffic } from './traffic.mjs';

const forPictures = Boolean(process.env.NXC_PICTURES);

/** An answer with all its headers; the address need not be what Host says. */
function request(port, path, { method = 'GET', headers = {}, body = '' } = {}) {
  return new Promise((resolve, reject) => {
    const sent = http.request({ port, host: '127.0.0.1', path, method, headers: { host: `127.0.0.1:${port}`, connection: 'close', ...headers } }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part) => { text += part; });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const numberIn = (text) => Number(text.replace(/[^\d.]/g, ''));
const textOf = (page, id) => page.textContent(`#${id}`);

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser.close());

describe('a page while servers work', () => {
  let project, servers, dashboard, stop, light, dark;

  before(async () => {
    project = new Project();
    servers = [new Server(project), new Server(project)];
    await stock(servers[0]);
    dashboard = await startDashboard(project);
    stop = traffic(servers, { invalidate: true });
    light = await look(browser, dashboard.url, { colorScheme: 'light' });
    dark = await look(browser, dashboard.url, { colorScheme: 'dark' });
    await until(async () => numberIn(await textOf(light.page, 'lookups')) > 0 && (await light.page.$$('#hot td.long')).length > 1, 'numbers');
    await sleep(forPictures ? 290_000 : 3000);
  });

  after(async () => {
    await stop();
    await dashboard.end();
    for (const server of servers) await server.end();
    project.remove();
  });

  test('the numbers move', async () => {
    const first = [numberIn(await textOf(light.page, 'lookups-note')), numberIn(await textOf(light.page, 'puts-note'))];
    await until(async () => numberIn(await textOf(light.page, 'lookups-note')) > first[0]
      && numberIn(await textOf(light.page, 'puts-note')) > first[1], () => `more than ${first}`);
    await until(async () => /^\d+\.\d %$/.test(await textOf(light.page, 'ratio')), 'the ratio');
    assert.match(await light.page.title(), /^\d+\.\d % · nextcache$/);
    await until(async () => await textOf(light.page, 'status') === 'live', 'it is live');
  });

  test('they are those of the tool', async () => {
    await stop();
    const { total } = JSON.parse((await request(dashboard.port, '/data.json')).text);
    const lookups = ['memory_hits', 'disk_hits', 'misses'].flatMap((name) => Object.values(total[name])).reduce((a, b) => a + b);
    await until(async () => numberIn(await textOf(light.page, 'lookups-note')) === lookups, `${lookups} look-ups`);
    stop = traffic(servers);
  });

  test('what the issue asks for is there', async () => {
    const tiers = await textOf(light.page, 'tiers');
    for (const word of ['Memory', 'Disk', 'of 64.0 MB', 'Marked tags']) assert.ok(tiers.includes(word), word);
    assert.match(await textOf(light.page, 'hot'), /\/(products|prices|stock|photos)\/\d+/);
    assert.match(await textOf(light.page, 'tags'), /products/);
    assert.match(await textOf(light.page, 'times'), /Reads[\d.]+ (µs|ms)/);
    const build = await textOf(light.page, 'build');
    for (const word of ['k3Jd82LmQ0', '43 s', '214 pages']) assert.ok(build.includes(word), `${word} in ${build}`);
    const processes = await textOf(light.page, 'processes');
    for (const { child } of servers) assert.ok(processes.includes(String(child.pid)), processes);
    assert.equal(await textOf(light.page, 'processes-note'), '2 processes have the cache open');
  });

  test('an invalidation and its reason appear', async () => {
    for (const [tag, reason] of [['category-bags', 'new collection'], ['stock', 'delivery arrived'], ['prices', 'spring sale']]) {
      execFileSync(tool, ['invalidate', tag, '--reason', reason, '--dir', project.cache]);
    }
    await until(async () => /prices.*spring sale/.test(await textOf(light.page, 'invalidations')), 'the reason', 60_000);
  });

  test('plots are drawn, and redrawn in the colours of the scheme', async () => {
    assert.equal(await light.page.$$eval('.plot canvas', (list) => list.length), 3);
    const drawn = () => light.page.$eval('#plot-lookups canvas', (canvas) => {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      const colors = new Set();
      for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) colors.add(`${data[i]},${data[i + 1]},${data[i + 2]}`);
      return [...colors];
    });
    assert.ok((await drawn()).includes('42,98,196'), 'memory hits, on light');
    await light.page.emulateMedia({ colorScheme: 'dark' });
    await until(async () => (await drawn()).includes('123,166,247'), 'memory hits, on dark');
    await light.page.emulateMedia({ colorScheme: 'light' });
  });

  test('both schemes have contrast enough to be read', async () => {
    for (const { page } of [light, dark]) {
      const poor = await page.evaluate(() => {
        const channels = (color) => color.match(/[\d.]+/g).slice(0, 3).map((v) => {
          const c = Number(v) / 255;
          return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        });
        const luminance = (color) => channels(color).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
        const paper = luminance(getComputedStyle(document.body).backgroundColor);
        const ratio = (color) => {
          const [a, b] = [luminance(color), paper].sort((x, y) => y - x);
          return (a + 0.05) / (b + 0.05);
        };
        return [...document.querySelectorAll('h1, h2, p, dt, dd, th, td, button, span')]
          .filter((one) => one.textContent.trim() && ratio(getComputedStyle(one).color) < 4.5)
          .map((one) => `${one.tagName} ${one.textContent} ${getComputedStyle(one).color}`);
      });
      assert.deepEqual(poor, []);
    }
    assert.notEqual(await light.page.$eval('body', (body) => getComputedStyle(body).backgroundColor), await dark.page.$eval('body', (body) => getComputedStyle(body).backgroundColor));
  });

  test('it can be used by keyboard alone', async () => {
    const { page } = light;
    const focused = () => page.evaluate(() => {
      const at = document.activeElement;
      return at.id || at.closest('[id]')?.id || at.tagName;
    });
    const stops = [];
    await page.evaluate(() => document.body.focus());
    for (let i = 0; i < 12; i += 1) {
      await page.keyboard.press('Tab');
      stops.push(await focused());
    }
    for (const stop of ['range', 'pause', 'plot-ratio', 'plot-lookups', 'plot-evictions']) assert.ok(stops.includes(stop), `${stop} in ${stops}`);
    assert.ok(stops.filter((stop) => stop.startsWith('h-') || ['hot', 'tags', 'invalidations', 'processes'].includes(stop) || stop === 'main').length >= 1, `${stops}`);

    await page.focus('#range input:checked');
    await page.keyboard.press('ArrowRight');
    assert.equal(await page.$eval('#range input:checked', (input) => input.value), '1800');
    await page.keyboard.press('ArrowLeft');

    await page.focus('#plot-lookups .canvas');
    assert.equal(await page.textContent('#plot-lookups .when'), 'Look-ups per second');
    await page.keyboard.press('Home');
    const first = await page.textContent('#plot-lookups .when');
    assert.match(first, /^Look-ups per second at \d\d:\d\d:\d\d$/);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    assert.notEqual(await page.textContent('#plot-lookups .when'), first);
    assert.match(await page.textContent('#plot-ratio .when'), / at /, 'the marker stands in all plots');
    await page.keyboard.press('Escape');
    assert.equal(await page.textContent('#plot-lookups .when'), 'Look-ups per second');

    await page.focus('#pause');
    await page.keyboard.press('Enter');
    assert.equal(await textOf(page, 'status'), 'paused');
    const still = await textOf(page, 'lookups-note');
    await sleep(1500);
    assert.equal(await textOf(page, 'lookups-note'), still);
    await page.keyboard.press('Enter');
    await until(async () => await textOf(page, 'lookups-note') !== still, 'it goes on');
  });

  test('the axis is as long as it says, also where there are no samples yet', async () => {
    const { page } = light;
    const { history } = JSON.parse((await request(dashboard.port, '/data.json')).text);
    const seconds = (history.samples.at(-1)[1] - history.samples[0][1]) / 1000;
    await page.focus('#plot-lookups .canvas');
    await page.keyboard.press('Home');
    const share = await page.$eval('#plot-lookups .u-over', (over) => {
      const marker = over.querySelector('.u-cursor-x').getBoundingClientRect();
      return (marker.left - over.getBoundingClientRect().left) / over.clientWidth;
    });
    await page.keyboard.press('Escape');
    assert.ok(Math.abs(share - Math.max(0, 1 - seconds / 300)) < 0.05, `${share} of the width, ${seconds} s`);
  });

  test('what has the focus is seen', async () => {
    await light.page.focus('#pause');
    await light.page.keyboard.press('Tab');
    const outline = await light.page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.equal(outline, 'solid');
  });

  test('nothing is asked of other machines, nothing is refused, nothing fails', async () => {
    for (const { seen } of [light, dark]) {
      assert.ok(seen.requests.length > 5);
      assert.deepEqual(seen.requests.filter((url) => new URL(url).origin !== dashboard.url), []);
      assert.deepEqual([seen.violations, seen.errors], [[], []]);
    }
  });

  test('the policy forbids what the page does not need', async () => {
    const { page } = await look(browser, dashboard.url);
    const violations = await page.evaluate(async () => {
      const caught = [];
      document.addEventListener('securitypolicyviolation', (event) => caught.push(event.effectiveDirective));
      const script = document.createElement('script');
      script.textContent = 'globalThis.wasRun = true';
      const style = document.createElement('style');
      style.textContent = 'body { display: none }';
      document.body.append(script, style);
      await fetch('https://example.invalid/').catch(() => {});
      for (let turn = 0; turn < 300 && caught.length < 3; turn += 1) await new Promise((resolve) => setTimeout(resolve, 100));
      return [caught, globalThis.wasRun ?? false];
    });
    assert.deepEqual(violations[0].sort(), ['connect-src', 'script-src-elem', 'style-src-elem']);
    assert.equal(violations[1], false);
    const { headers } = await request(dashboard.port, '/');
    assert.doesNotMatch(headers['content-security-policy'], /unsafe/);
    assert.match(headers['content-security-policy'], /frame-ancestors 'none'/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
  });

  test('a narrow screen does not scroll sideways', async () => {
    const { page, context } = await look(browser, dashboard.url, { viewport: { width: 400, height: 800 } });
    await until(async () => (await page.$$('#hot td.long')).length > 1, 'entries');
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    await context.close();
  });

  test('no table is cut off on a screen of any usual width', async () => {
    const { page, context } = await look(browser, dashboard.url, { viewport: { width: 640, height: 800 } });
    await until(async () => (await page.$$('#hot td.long')).length > 1, 'entries');
    for (const width of [640, 800, 1000, 1280, 1440]) {
      await page.setViewportSize({ width, height: 800 });
      const cut = await page.$$eval('.scroll', (list) => list.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.firstElementChild.id));
      assert.deepEqual(cut, [], `at ${width}`);
    }
    await context.close();
  });

  test('built without uPlot it has its numbers, and says what is missing', async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const errors = [];
    page.on('pageerror', (error) => errors.push(String(error)));
    const body = readFileSync(join(root, 'src/cli/dashboard/without-uplot.txt'), 'utf8');
    await page.route('**/uplot.js', (route) => route.fulfill({ contentType: 'text/javascript', body }));
    await page.route('**/uplot.css', (route) => route.fulfill({ contentType: 'text/css', body }));
    await page.goto(dashboard.url);
    await until(async () => numberIn(await textOf(page, 'lookups')) > 0, 'numbers');
    assert.match(await page.$eval('.wide', (at) => getComputedStyle(at, '::after').content), /npm ci in src\/cli\/dashboard/);
    assert.equal(numberIn(await page.textContent('#plot-lookups .readout dd')) >= 0, true);
    assert.deepEqual(errors, []);
    await context.close();
  });

  test('names of other machines are refused (DNS rebinding)', async () => {
    for (const host of ['evil.example', `evil.example:${dashboard.port}`, 'localhost.evil.example', '127.0.0.1.evil.example']) {
      const { status, text } = await request(dashboard.port, '/data.json', { headers: { host } });
      assert.ok(status === 421 || status === 400, `${host}: ${status}`);
      assert.ok(!text.includes('total'));
    }
    for (const host of ['localhost', `localhost:${dashboard.port}`, `127.0.0.1:${dashboard.port}`]) {
      assert.equal((await request(dashboard.port, '/data.json', { headers: { host } })).status, 200, host);
    }
  });

  test('it is read-only', async () => {
    for (const method of ['POST', 'PUT', 'DELETE']) {
      assert.equal((await request(dashboard.port, '/', { method, body: 'x=1' })).status, 405, method);
    }
    assert.equal((await request(dashboard.port, '/../../etc/passwd')).status, 404);
  });

  test('pictures', { skip: !forPictures }, async () => {
    for (const [name, { page }] of [['dashboard', light], ['dashboard-dark', dark]]) {
      await page.evaluate(() => document.activeElement.blur());
      await page.screenshot({ path: join(root, `docs/${name}.png`), fullPage: true });
    }
  });
});

describe('entries that others made up', () => {
  const evil = '<img src=x onerror=alert(1)>';
  const written = evil.replaceAll(' ', '\\x20');
  let project, server, dashboard;

  before(async () => {
    project = new Project();
    server = new Server(project, 16);
    const keys = [`1 p:b:/${written}`, '4 u:b:["80c1f5e2a7",[{"customer":"secret-argument"}],["b"]]', '1 p:b:/\\x1b[31m'];
    for (const key of keys) {
      await server.tell(`put ${key} 100 ${written} 0 - -`);
      await server.tell(`get ${key}`);
    }
    await server.tell(`mark ${written} 0`);
    dashboard = await startDashboard(project);
  });
  after(async () => {
    await dashboard.end();
    await server.end();
    project.remove();
  });

  test('what comes from the cache is text, not markup', async () => {
    const { page, seen } = await look(browser, dashboard.url);
    for (const id of ['hot', 'tags', 'invalidations']) {
      await until(async () => (await textOf(page, id)).includes(evil), `the text in ${id}`);
    }
    assert.equal(await page.$$eval('main img', (list) => list.length), 0);
    assert.ok((await textOf(page, 'hot')).includes('\\x1b[31m'), 'what cannot be shown is spelled out');
    assert.deepEqual([seen.violations, seen.errors], [[], []]);
  });

  test('arguments of cached functions are not shown', async () => {
    const { text } = await request(dashboard.port, '/entries.json');
    assert.ok(text.includes('80c1f5e2a7'), 'the function is');
    assert.ok(!text.includes('secret-argument'), text);
  });
});

describe('a cache that comes and goes', () => {
  test('the page says so, goes on, and names no path', async (t) => {
    const project = new Project();
    t.after(() => project.remove());
    const dashboard = await startDashboard(project);
    t.after(() => dashboard.end());
    const { page } = await look(browser, dashboard.url);
    await until(() => page.isVisible('#absent'), 'it is absent');
    await until(async () => await textOf(page, 'status') === 'waiting', 'the page waits');
    assert.ok(!(await request(dashboard.port, '/data.json')).text.includes(project.folder), 'no path');
    const server = new Server(project, 16);
    t.after(() => server.end());
    await server.tell('put 1 p:b:/a 100 t 0 - -');
    await until(() => page.isHidden('#absent'), 'it is there');
    await until(async () => numberIn(await textOf(page, 'puts-note')) === 1, 'one entry');
    await until(async () => await textOf(page, 'status') === 'live', 'the page is live');
    assert.equal(await page.$$eval('[aria-label="Marked tags"] i', (list) => list.length), 0, 'of nothing, nothing is drawn');
    assert.equal(await page.$$eval('[aria-label="Disk"] i', (list) => list.length), 1, 'of little, something');
    await dashboard.end();
    await until(async () => /^no answer for/.test(await textOf(page, 'status')), 'the server is gone');
    assert.ok(Number(await page.$eval('main', (main) => getComputedStyle(main).opacity)) < 1, 'old numbers look old');
  });
});

describe('with a token', () => {
  let project, dashboard;
  before(async () => {
    project = new Project();
    dashboard = await startDashboard(project, { env: { NEXT_CACHE_METRICS_TOKEN: 'correct horse & battery' } });
  });
  after(async () => {
    await dashboard.end();
    project.remove();
  });

  const bearer = (token) => ({ headers: { authorization: `Bearer ${token}` } });

  test('nothing is told without it', async () => {
    for (const path of ['/data.json', '/entries.json', '/build.json', '/app.js', '/nothing']) {
      assert.equal((await request(dashboard.port, path)).status, 401, path);
      assert.equal((await request(dashboard.port, path, bearer('correct horse'))).status, 401, path);
      assert.equal((await request(dashboard.port, path, { headers: { cookie: 'nextcache-session=' } })).status, 401, path);
      assert.equal((await request(dashboard.port, path, { headers: { cookie: 'nextcache-session=correct horse & battery' } })).status, 401, path);
    }
    assert.equal((await request(dashboard.port, '/data.json', bearer('correct horse & battery'))).status, 200);
  });

  test('a wrong one gives no cookie', async () => {
    for (const body of ['token=wrong', 'token=', '', 'other=1', `token=${'x'.repeat(5000)}`]) {
      const answer = await request(dashboard.port, '/login', { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body })
        .catch(() => ({ status: 'closed', headers: {} }));
      assert.ok(answer.status === 401 || answer.status === 'closed', `${body.slice(0, 20)}: ${answer.status}`);
      assert.equal(answer.headers['set-cookie'], undefined);
    }
  });

  test('a browser logs in by the form, by keyboard', async () => {
    const { page, seen, context } = await look(browser, dashboard.url);
    const isFocused = () => document.activeElement?.id === 'token';
    await page.waitForFunction(isFocused);
    await page.keyboard.type('wrong');
    await page.keyboard.press('Enter');
    await page.waitForSelector('[role=alert] p');
    assert.equal(await page.textContent('[role=alert]'), 'That is not the token.');
    await page.waitForFunction(isFocused);
    await page.keyboard.type('correct horse & battery');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#status');
    await until(() => page.isVisible('#absent'), 'the page works');
    const [cookie] = await context.cookies();
    assert.equal(cookie.httpOnly, true);
    assert.equal(cookie.sameSite, 'Strict');
    assert.equal(cookie.expires, -1, 'it ends with the browser');
    assert.ok(!cookie.value.includes('horse'), 'it is not the token');
    assert.deepEqual(seen.violations, []);
    if (forPictures) {
      const login = await look(browser, dashboard.url);
      await login.page.screenshot({ path: join(root, 'build/logs/dashboard-login.png') });
    }
  });

  test('a session ends with the server', async (t) => {
    const other = await startDashboard(project, { env: { NEXT_CACHE_METRICS_TOKEN: 'correct horse & battery' } });
    t.after(() => other.end());
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const answer = await request(dashboard.port, '/login', { method: 'POST', headers, body: 'token=correct%20horse+%26%20battery' });
    assert.equal(answer.status, 303);
    const [cookie] = answer.headers['set-cookie'][0].split(';');
    assert.equal((await request(dashboard.port, '/data.json', { headers: { cookie } })).status, 200);
    assert.equal((await request(other.port, '/data.json', { headers: { cookie } })).status, 401);
  });
});
