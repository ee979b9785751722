// `nextcache stats --watch` as it is seen in a terminal (tmux): that it fits, goes on
// when the cache goes, and gives the terminal back. NXC_PICTURES=1 writes docs/stats-watch.png.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openBrowser, Project, root, Server, sleep, tool, until } from './support.mjs';
import { Terminal } from './terminal.mjs';
import { stock, traffic } from './traffic.mjs';

const forPictures = Boolean(process.env.NXC_PICTURES);
const watch = (project) => [tool, 'stats', '--watch', '--interval', '0.2', '--dir', project.cache];

/** The lines of a terminal, once they are as they should be. */
async function seen(terminal, isRight, what) {
  let lines;
  await until(() => isRight(lines = terminal.lines()), () => `${what}:\n${lines.join('\n')}`);
  return lines;
}

describe('the live screen while servers work', () => {
  let project, servers, stop, terminal;

  before(async () => {
    project = new Project();
    servers = [new Server(project), new Server(project)];
    await stock(servers[0]);
    stop = traffic(servers);
    terminal = new Terminal(watch(project), { columns: 80, rows: 24 });
  });
  after(async () => {
    await stop();
    terminal.end();
    for (const server of servers) await server.end();
    project.remove();
  });

  const isWhole = (lines) => /^nextcache 2 processes, watched for/.test(lines[0])
    && servers.every(({ child }) => lines.some((line) => line.includes(` ${child.pid} `)))
    && ['pages', 'routes', 'fetches', 'use-cache', 'images'].every((name) => lines.some((line) => line.startsWith(`  ${name} `)));

  test('it fits into 80 by 24: nothing is broken, cut off or pushed out', async () => {
    const lines = await seen(terminal, (now) => isWhole(now) && /[▁-█] +\d+\.\d %$/.test(now[2]), 'all of it');
    assert.match(lines[1], /^ +now {2}the last [\d.]+ s +ever$/);
    assert.match(lines[2], /^ {2}hit ratio +(\d+\.\d %|-) /);
    for (const line of lines.slice(3, 10)) assert.match(line, / (\d+|\d+\.\d)( [KMG]?B)?$/, line);
    assert.ok(lines.some((line) => /^ {2}memory +━+─* +\d+\.\d %  [\d.]+ MB of 100 MB$/.test(line)), lines.join('\n'));
    assert.equal(terminal.ask('#{cursor_flag} #{alternate_on}'), '0 1');
  });

  test('in a larger terminal it has gaps, and follows its size', async () => {
    terminal.resize(120, 40);
    const lines = await seen(terminal, (now) => isWhole(now) && now[1] === '' && /^ +now {2}the last/.test(now[2]), 'all of it');
    assert.ok(lines.some((line) => line.includes(`shop-server ${project.cache} 64`)), lines.join('\n'));
    for (const [columns, rows] of [[60, 12], [30, 5]]) {
      terminal.resize(columns, rows);
      await seen(terminal, (now) => /^nextcache 2 processes/.test(now[0]) && now.length <= rows, 'the first line, however small it is');
    }
  });

  test('picture', { skip: !forPictures }, async () => {
    const picture = new Terminal([...watch(project).slice(0, 3), '--dir', project.cache], { columns: 116, rows: 27 + 6 });
    await sleep(66_000);
    const browser = await openBrowser();
    const page = await browser.newPage();
    await page.setContent(picture.page());
    await (await page.$('body')).screenshot({ path: join(root, 'docs/stats-watch.png') });
    await browser.close();
    picture.end();
  });
});

describe('the live screen and what happens to it', () => {
  let project, server, terminal;
  before(async () => {
    project = new Project();
    server = new Server(project, 16);
    await server.tell('put 1 p:b:/a 100 - 0 - -');
    terminal = new Terminal(['bash', '--norc', '--noprofile'], { columns: 80, rows: 24, env: { PS1: 'shell> ' } });
    terminal.press(watch(project).join(' '), 'Enter');
    await seen(terminal, (lines) => /^nextcache 1 process, watched/.test(lines[0]), 'the screen');
  });
  after(async () => {
    terminal.end();
    await server.end();
    project.remove();
  });
  const flags = () => terminal.ask('#{alternate_on} #{cursor_flag} #{wrap_flag}');

  test('stopped, it gives the shell its screen, and comes back with fg', async () => {
    assert.equal(flags(), '1 0 0');
    terminal.press('C-z');
    await seen(terminal, (lines) => lines.some((line) => line.includes('Stopped')), 'the shell');
    assert.equal(flags(), '0 1 1');
    terminal.press('fg', 'Enter');
    await seen(terminal, (lines) => /^nextcache 1 process/.test(lines[0]), 'the screen again');
    assert.equal(flags(), '1 0 0');
  });

  test('a cache that goes: it says so, and goes on with the next one', async () => {
    await server.end();
    rmSync(project.cache, { recursive: true });
    await seen(terminal, (lines) => lines.some((line) => line.includes('there is nothing to be seen'))
      && lines.some((line) => line.includes('there is no such directory')), 'that there is none');
    server = new Server(project, 16);
    await server.tell('put 1 p:b:/a 100 - 0 - -');
    await seen(terminal, (lines) => lines.some((line) => /^ {2}puts .* 1$/.test(line)), 'the new one');
  });

  test('q ends it, and the terminal is as it was', async () => {
    terminal.press('q');
    await seen(terminal, (lines) => lines.some((line) => line.includes('shell>')) && !lines[0].startsWith('nextcache 1'), 'the shell');
    assert.equal(flags(), '0 1 1');
    terminal.press('echo "code $?"', 'Enter');
    await seen(terminal, (lines) => lines.includes('code 0'), 'its exit code');
  });
});
