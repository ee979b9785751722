// What a page is given, where the process that makes it is held up, and where the clock is set.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import steppedClock from '../node/stepped-clock.js';
import { Project, Server, sleep, startDashboard, until } from './support.mjs';

const STOPPED_MS = 6000;

test('seconds in which it stood still are not made up for', async (t) => {
  const project = new Project();
  t.after(() => project.remove());
  const server = new Server(project, 16);
  t.after(() => server.end());
  await server.tell('ready');
  const dashboard = await startDashboard(project);
  t.after(() => dashboard.end());
  const newest = async () => (await (await fetch(`${dashboard.url}/data.json`)).json()).history.samples.at(-1);
  const [first, began] = await until(newest, 'a sample');
  dashboard.child.kill('SIGSTOP');
  await sleep(STOPPED_MS);
  dashboard.child.kill('SIGCONT');
  const went = Date.now();
  const [last, ended] = await until(async () => {
    const sample = await newest();
    return sample[1] > went + 1000 && sample;
  }, 'samples afterwards');
  // One more where a second was begun before it stopped, and one where it went on.
  const most = Math.ceil((ended - began - STOPPED_MS) / 1000) + 2;
  assert.ok(last - first <= most, `${last - first} samples, and there were seconds for ${most}`);
});

test('entries are looked at anew, also when the clock was set back', async (t) => {
  const project = new Project();
  t.after(() => project.remove());
  const server = new Server(project, 16);
  t.after(() => server.end());
  await server.tell('ready');
  const clock = new steppedClock.SteppedClock();
  const dashboard = await startDashboard(project, { env: clock.env });
  t.after(() => dashboard.end());
  const entries = async () => (await fetch(`${dashboard.url}/entries.json`)).json();
  const before = await entries();
  clock.step(-3_600_000);
  clock.move(600_000);
  const after = await entries();
  assert.ok(after.at_ms < before.at_ms, `looked at ${after.at_ms}, and ${before.at_ms} before`);
});
