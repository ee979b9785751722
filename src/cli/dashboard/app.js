// The dashboard: asks for new numbers each second while it is seen, and shows them.
// Whatever comes from the cache is set as text, never as markup.
import { bytes, count, date, duration, latency, many, percent, rate } from './format.js';
import { hasPlots, Plot } from './plots.js';

const EVERY_MS = 1000;
const ENTRIES_EVERY_MS = 10_000;
const SMOOTHED = 10; // samples that a rate is the mean of
const MOST_SAMPLES = 1800;

const byId = (id) => document.getElementById(id);
const text = (id, value) => {
  if (byId(id).textContent !== value) byId(id).textContent = value;
};

// ---- samples -----------------------------------------------------------------------

let fields = [];
let samples = []; // [number, time_ms, value of each field…]
let range = 300;

const of = (sample, field) => sample[fields.indexOf(field) + 2];
const isThere = (sample) => sample.length > 2;

function keep(history) {
  fields = history.fields;
  const last = samples.at(-1)?.[0] ?? 0;
  // The server began anew: its numbers do, too.
  if (history.samples.length && history.samples[0][0] <= last) samples = [];
  samples = [...samples, ...history.samples].slice(-MOST_SAMPLES);
}

/** What a field rose by over the samples before the one at `index`, and in how many ms. */
function rise(index, names) {
  const to = samples[index];
  const from = samples.slice(Math.max(0, index - SMOOTHED), index).find(isThere); // the cache may have come since
  if (!from || !isThere(to)) return null;
  const sum = names.reduce((n, name) => n + of(to, name) - of(from, name), 0);
  return sum < 0 ? null : { sum, ms: to[1] - from[1] };
}

function perSecond(index, ...names) {
  const risen = rise(index, names);
  return risen && risen.ms > 0 ? (risen.sum * 1000) / risen.ms : null;
}

function ratioAt(index) {
  const hits = rise(index, ['memory_hits', 'disk_hits']);
  const misses = rise(index, ['misses']);
  return hits && misses && hits.sum + misses.sum > 0 ? (100 * hits.sum) / (hits.sum + misses.sum) : null;
}

// ---- plots ---------------------------------------------------------------------------

const perSecondText = (n) => `${rate(n)}`;
const plots = {
  ratio: new Plot(byId('plot-ratio'), {
    title: 'Hit ratio, %', range: (low) => [Math.max(0, Math.floor(((low ?? 100) - 2) / 10) * 10), 100],
    series: [{ name: 'hits of all look-ups', color: '--ratio', format: (n) => (Number.isInteger(n) ? String(n) : n.toFixed(1)) }],
  }),
  lookups: new Plot(byId('plot-lookups'), {
    title: 'Look-ups per second',
    series: [
      { name: 'memory hits', color: '--memory', format: perSecondText },
      { name: 'disk hits', color: '--disk', format: perSecondText },
      { name: 'misses', color: '--miss', dash: true, format: perSecondText },
    ],
  }),
  evictions: new Plot(byId('plot-evictions'), {
    title: 'Entries per second',
    series: [
      { name: 'stored', color: '--ratio', format: perSecondText },
      { name: 'pushed out of memory', color: '--memory', format: perSecondText },
      { name: 'given a second life on disk', color: '--disk', dash: true, format: perSecondText },
    ],
  }),
};

function drawPlots() {
  const begin = Math.max(0, samples.length - range);
  const shown = samples.slice(begin);
  const line = (value) => shown.map((_, i) => value(begin + i));
  const times = shown.map((sample) => sample[1]);
  for (const plot of Object.values(plots)) plot.seconds = range;
  plots.ratio.set(times, [line(ratioAt)]);
  plots.lookups.set(times, ['memory_hits', 'disk_hits', 'misses'].map((name) => line((i) => perSecond(i, name))));
  plots.evictions.set(times, ['puts', 'memory_evictions', 'disk_moved'].map((name) => line((i) => perSecond(i, name))));
}

// ---- tables ----------------------------------------------------------------------------

function element(name, content, className) {
  const made = document.createElement(name);
  if (content instanceof Node) made.append(content);
  else made.textContent = content;
  if (className) made.className = className;
  return made;
}

/** `columns`: [[heading, cell of a row, class]]. */
function table(id, columns, rows, nothing) {
  const head = document.createElement('tr');
  for (const [heading, , className] of columns) {
    const cell = element('th', heading, className);
    cell.scope = 'col';
    head.append(cell);
  }
  const body = rows.map((row) => {
    const line = document.createElement('tr');
    for (const [, cell, className] of columns) line.append(element('td', cell(row), className));
    return line;
  });
  if (!rows.length) {
    const cell = element('td', nothing, 'nothing');
    cell.colSpan = columns.length;
    const line = document.createElement('tr');
    line.append(cell);
    body.push(line);
  }
  const thead = document.createElement('thead');
  const tbody = document.createElement('tbody');
  thead.append(head);
  tbody.append(...body);
  byId(id).replaceChildren(thead, tbody);
}

/** Long names end in the middle of the cell; the whole is in the title. */
function name(value) {
  const made = element('bdi', value);
  made.title = value;
  return made;
}

function meter(label, used, limit, show, color) {
  const share = limit > 0 ? Math.min(1, used / limit) : 0;
  const row = element('div', element('span', label, 'label'), 'tier');
  const bar = element('div', '', 'bar');
  const fill = element('i', '');
  fill.style.width = `${100 * share}%`;
  fill.style.backgroundColor = `var(${color})`;
  if (used > 0) bar.append(fill); // what is little is seen, what is nothing is not
  bar.setAttribute('role', 'meter');
  bar.setAttribute('aria-label', label);
  bar.setAttribute('aria-valuemin', '0');
  bar.setAttribute('aria-valuemax', String(limit));
  bar.setAttribute('aria-valuenow', String(used));
  bar.setAttribute('aria-valuetext', `${show(used)} of ${show(limit)}`);
  row.append(bar, element('span', `${show(used)} of ${show(limit)}`, 'number'));
  return row;
}

// ---- what is shown -----------------------------------------------------------------------

const sum = (classes) => Object.values(classes).reduce((n, value) => n + value, 0);
const hitsOf = (c) => sum(c.memory_hits) + sum(c.disk_hits);

function showFigures(total) {
  const last = samples.length - 1;
  const [hits, misses] = [hitsOf(total), sum(total.misses)];
  const ratio = last > 0 ? ratioAt(last) : null;
  const now = (...names) => (last > 0 ? perSecond(last, ...names) : null);
  const shown = (value) => (value === null ? '–' : `${rate(value)}/s`);
  text('ratio', ratio === null ? '–' : `${ratio.toFixed(1)} %`);
  text('ratio-note', `${percent(hits, hits + misses)} ever`);
  text('lookups', shown(now('memory_hits', 'disk_hits', 'misses')));
  text('lookups-note', `${count(hits + misses)} ever`);
  text('stale', shown(now('stale_hits')));
  text('stale-note', `${percent(sum(total.stale_hits), hits)} of all hits`);
  text('puts', shown(now('puts')));
  text('puts-note', `${count(sum(total.puts))} ever`);
  text('marks', count(total.marks));
  text('marks-note', `${count(total.dead_by_tag)} misses by them`);
  const trouble = total.corrupt + total.disk_errors;
  text('trouble', trouble ? count(trouble) : 'none');
  byId('trouble').classList.toggle('bad', trouble > 0);
  text('trouble-note', trouble ? `${count(total.corrupt)} damaged, ${count(total.disk_errors)} disk errors` : 'no damage, no disk errors');
  document.title = ratio === null ? 'nextcache' : `${ratio.toFixed(1)} % · nextcache`;
}

function showTiers(total, cache) {
  byId('tiers').replaceChildren(
    meter('Memory', total.memory_bytes, total.memory_limit_bytes, bytes, '--memory'),
    meter('Disk', total.disk_bytes, total.disk_limit_bytes, bytes, '--disk'),
    meter('Entries', cache.slots_used, cache.slots, count, '--disk'),
    meter('Marked tags', cache.tag_rows_used, cache.tag_rows, count, '--ratio'),
    element('p', `${many(total.memory_items, 'entry', 'entries')} in memory, of all processes together. ${bytes(total.bytes_written)} written to `
      + `the disk tier and ${bytes(total.bytes_read)} read from it, ever.`, 'note'),
  );
  text('evictions-note', `Ever: ${count(total.memory_evictions)} pushed out of memory, ${count(total.disk_recycled)} segments of the ring `
    + `recycled, ${count(total.disk_moved)} entries given a second life, ${count(total.disk_overflow)} pushed out of the index.`);
}

const NUMBER = 'number';

function showClasses(total, entries) {
  const rows = Object.keys(total.misses).filter((c) => total.memory_hits[c] + total.disk_hits[c] + total.misses[c] + total.puts[c] > 0);
  table('classes', [
    ['Class', (c) => c],
    ['Memory', (c) => count(total.memory_hits[c]), NUMBER],
    ['Disk', (c) => count(total.disk_hits[c]), NUMBER],
    ['Stale', (c) => count(total.stale_hits[c]), NUMBER],
    ['Misses', (c) => count(total.misses[c]), NUMBER],
    ['Hit ratio', (c) => percent(total.memory_hits[c] + total.disk_hits[c], total.memory_hits[c] + total.disk_hits[c] + total.misses[c]), NUMBER],
    ['Entries', (c) => (entries?.[c] ? count(entries[c].entries) : '–'), NUMBER],
    ['Size', (c) => (entries?.[c] ? bytes(entries[c].bytes) : '–'), NUMBER],
  ], rows, 'nothing was looked up yet');
}

function showTimes(times) {
  const names = { disk_reads: 'Reads', puts: 'Puts', invalidations: 'Invalidations' };
  table('times', [
    ['', (key) => names[key]],
    ['Half within', (key) => latency(times[key].p50_us), NUMBER],
    ['90 %', (key) => latency(times[key].p90_us), NUMBER],
    ['99 %', (key) => latency(times[key].p99_us), NUMBER],
    ['Timed', (key) => count(times[key].timed), NUMBER],
  ], Object.keys(names), '');
}

/** Hidden where no process has a tier that machines share. */
function showShared(total, list) {
  byId('shared-part').hidden = !total;
  if (!total) return;
  const rows = list.filter((p) => p.shared).map((p) => ({ name: p.pid === null ? '?' : String(p.pid), ...p.shared }));
  text('shared-note', `${many(total.breaker_openings, 'time')} given up for a while, ${many(total.sent, 'invalidation')} told to other machines, `
    + `${count(total.received)} read in the log, ever`);
  const state = (s) => element('span', s.state, s.ready < s.processes ? 'bad' : '');
  table('shared', [
    ['Process', (s) => s.name, NUMBER],
    ['State', state],
    ['Lag', (s) => duration(s.unsure_ms), NUMBER],
    ['Half within', (s) => latency(s.p50_us), NUMBER],
    ['99 %', (s) => latency(s.p99_us), NUMBER],
    ['Hit ratio', (s) => percent(s.hits, s.gets), NUMBER],
    ['Received', (s) => bytes(s.bytes_in), NUMBER],
    ['Sent', (s) => bytes(s.bytes_out), NUMBER],
    ['Unsent', (s) => count(s.unsent), NUMBER],
  ], [...rows, { name: 'all', ...total }], '');
}

function showProcesses(list) {
  text('processes-note', `${many(list.length, 'process has', 'processes have')} the cache open`);
  const misses = (p) => sum(p.counters.misses);
  table('processes', [
    ['Process', (p) => (p.pid === null ? '?' : String(p.pid)), NUMBER],
    ['Hits', (p) => count(hitsOf(p.counters)), NUMBER],
    ['Hit ratio', (p) => percent(hitsOf(p.counters), hitsOf(p.counters) + misses(p)), NUMBER],
    ['Memory', (p) => bytes(p.counters.memory_bytes), NUMBER],
    ['Command', (p) => name(p.pid === null ? '(in another container)' : p.command), 'long'],
  ], list, 'no process has the cache open');
}

function showEntries(entries, now) {
  text('hot-note', entries.hot_count ? `${many(entries.hot_count, 'was read since it was written', 'were read since they were written')}; the newest first` : 'none was read since it was written');
  table('hot', [
    ['Path, URL or function', (e) => name(e.name), 'long'],
    ['Class', (e) => e.class],
    ['State', (e) => e.state, 'state'],
    ['Age', (e) => duration(e.age_ms), NUMBER],
    ['Size', (e) => bytes(e.bytes), NUMBER],
  ], entries.hot, 'nothing yet');
  text('tags-note', `${many(entries.tag_count, 'tag')}; those of the most entries first`);
  table('tags', [
    ['Tag', (t) => name(t.tag), 'long'],
    ['Entries', (t) => count(t.entries), NUMBER],
    ['Would hit', (t) => count(t.hits), NUMBER],
    ['Size', (t) => bytes(t.bytes), NUMBER],
    ['Invalidated', (t) => (t.mark_ms ? `${duration(now - t.mark_ms)} ago` : '–'), NUMBER],
  ], entries.tags, 'no entry carries a tag');
  const list = entries.reasons.length ? entries.reasons : entries.invalidations.map((t) => ({ time_ms: t.mark_ms, tags: [t.tag], kind: t.mark }));
  text('invalidations-note', entries.reasons.length ? 'as they were told, the newest first' : 'of tags that entries carry, the newest first; nobody told a reason yet');
  table('invalidations', [
    ['Ago', (i) => duration(now - i.time_ms), NUMBER],
    ['Tags', (i) => name(i.tags.join(', ')), 'long half'],
    ['Reason', (i) => name(i.reason ?? '–'), 'long half'],
    ['By', (i) => i.by ?? '–'],
  ], list, 'nothing was invalidated');
}

function showBuild(build) {
  const facts = [
    ['Build', build.id ?? 'none is there'],
    ['Began', build.started_ms === null ? 'not known' : `${date(build.started_ms)}`],
    ['Took', build.duration_ms === null ? 'not known' : duration(build.duration_ms)],
    ['Prerendered', build.prerendered === null ? 'not known' : many(build.prerendered, 'page')],
  ];
  byId('build').replaceChildren(...facts.map(([term, value]) => {
    const row = element('div', element('dt', term));
    row.append(element('dd', value));
    return row;
  }));
}

// ---- asking ------------------------------------------------------------------------------

let answeredAt = performance.now();
let entriesAt = -Infinity;
let classes = null;
let paused = false;
let there = true;

async function ask(path) {
  const response = await fetch(path, { cache: 'no-store' });
  if (response.status === 401) location.reload(); // the server began anew, and asks for the token
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

function showData(data) {
  keep(data.history);
  there = Boolean(data.total);
  byId('absent').hidden = there;
  byId('main').classList.toggle('none', !there);
  text('version', `nextcache ${data.version}`);
  if (there) {
    text('dir', data.dir);
    byId('dir').title = data.dir;
    showFigures(data.total);
    showTiers(data.total, data.cache);
    showClasses(data.total, classes);
    showTimes(data.times);
    showShared(data.shared, data.processes);
    showProcesses(data.processes);
  }
  drawPlots();
}

async function askEntries() {
  entriesAt = performance.now();
  const [entries, build] = await Promise.all([ask('/entries.json'), ask('/build.json')]);
  classes = entries.classes ?? null;
  if (entries.classes) showEntries(entries, Date.now());
  showBuild(build);
}

function showStatus() {
  const silent = performance.now() - answeredAt;
  const state = paused ? 'paused' : silent > 3 * EVERY_MS ? 'lost' : there ? 'live' : 'waiting';
  byId('status').className = state;
  byId('main').classList.toggle('old', state === 'lost');
  text('status', state === 'lost' ? `no answer for ${duration(silent)}` : state);
}

async function turn() {
  if (!paused && !document.hidden) {
    try {
      const data = await ask(`/data.json?since=${samples.at(-1)?.[0] ?? 0}`);
      if (!paused) showData(data); // else it was paused meanwhile, and is asked for again
      if (performance.now() - entriesAt >= ENTRIES_EVERY_MS) await askEntries();
      answeredAt = performance.now();
    } catch (error) {
      if (!(error instanceof TypeError)) console.error(error); // else the server is not there
    }
  }
  showStatus();
  setTimeout(turn, EVERY_MS);
}

byId('range').addEventListener('change', (event) => {
  range = Number(event.target.value);
  drawPlots();
});
byId('pause').addEventListener('click', () => {
  paused = !paused;
  byId('pause').setAttribute('aria-pressed', String(paused));
  answeredAt = performance.now();
  showStatus();
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => Object.values(plots).forEach((plot) => plot.draw()));
byId('uplot').hidden = !hasPlots;
document.body.classList.toggle('no-plots', !hasPlots);
turn();
