// Plots as SVG, drawn by Vega-Lite from the numbers of the tables.
import { requirePeer } from './places.mjs';

const COLOURS = {
  nextcache: '#d6453d', "nextcache 'use cache'": '#f0908a', 'Next.js': '#20242c', "Next.js 'use cache'": '#8a909c', lmdb: '#2c7fb8', LMDB: '#2c7fb8',
  'better-sqlite3': '#41ab5d', 'lru-cache': '#b8860b', '@fortedigital (Redis)': '#7b5ea7', '@trieb.work (Redis)': '#c17ab5', 'v8.deserialize': '#2a9d8f',
  'thread pool, one round trip': '#9aa0a6', 'file per entry': '#9aa0a6', 'no cache': '#9aa0a6', 'Next.js, as a handler': '#8a909c', LRU: '#9aa0a6', '2Q': '#d6453d',
};
const WIDTH = 520;
const LOG_FROM = 20; // the largest by the smallest

const config = {
  background: 'white', font: 'sans-serif', padding: 12,
  view: { stroke: '#dddddd' }, axis: { gridColor: '#eeeeee', labelFontSize: 11, titleFontSize: 12, titleFontWeight: 'normal', labelLimit: 260 },
  header: { labelFontSize: 12, labelFontWeight: 'bold', labelAnchor: 'start' },
};

const colourScale = (names) => ({ domain: names, range: names.map((name) => COLOURS[name] ?? '#555555') });

function scaleOf(values) {
  const smallest = Math.min(...values);
  return smallest > 0 && Math.max(...values) / smallest > LOG_FROM ? { type: 'log' } : { zero: true };
}

/** Medians as dots with the quartiles as a line: a row of the panel for each subject. */
function dots(figures, metric, unit) {
  const values = [];
  for (const setting of figures.settings) {
    for (const subject of new Set(figures.rounds.map((round) => round.subject))) {
      const found = figures.of(setting, subject, metric);
      if (found && Number.isFinite(found.high)) values.push({ setting, subject, ...found });
    }
  }
  if (values.length === 0) return undefined;
  const subjects = [...new Set(values.map(({ subject }) => subject))];
  const scale = scaleOf(values.flatMap(({ low, high }) => [low, high]));
  const y = { field: 'subject', type: 'nominal', sort: subjects, title: null };
  const x = (field) => ({ field, type: 'quantitative', scale, title: unit });
  const color = { field: 'subject', type: 'nominal', scale: colourScale(subjects), legend: null };
  return {
    data: { values },
    facet: { row: { field: 'setting', type: 'nominal', sort: figures.settings, title: null, header: { labelAngle: 0, labelOrient: 'top' } } },
    resolve: { scale: { y: 'independent' } },
    spec: {
      width: WIDTH,
      layer: [
        { mark: { type: 'rule', strokeWidth: 3, opacity: 0.45 }, encoding: { y, x: x('low'), x2: { field: 'high' }, color } },
        { mark: { type: 'point', filled: true, size: 90, opacity: 1 }, encoding: { y, x: x('median'), color } },
      ],
    },
  };
}

const panels = (points) => [...new Set(points.map(({ panel }) => panel))];

function lines({ x, y, points }) {
  const names = [...new Set(points.map(({ series }) => series))];
  return {
    data: { values: points },
    facet: { column: { field: 'panel', type: 'nominal', sort: panels(points), title: null } },
    spec: {
      width: 300, height: 260,
      mark: { type: 'line', point: true },
      encoding: {
        x: { field: 'x', type: 'quantitative', scale: { type: 'log' }, title: x, axis: { format: '~s' } },
        y: { field: 'y', type: 'quantitative', scale: { type: 'log' }, title: y },
        color: { field: 'series', type: 'nominal', scale: colourScale(names), title: null },
      },
    },
  };
}

function bars({ y, points }) {
  const names = [...new Set(points.map(({ series }) => series))];
  return {
    data: { values: points },
    facet: { column: { field: 'panel', type: 'nominal', sort: panels(points), title: null } },
    spec: {
      width: 300, height: 260,
      mark: 'bar',
      encoding: {
        y: { field: 'x', type: 'nominal', sort: null, title: null },
        yOffset: { field: 'series', sort: names },
        x: { field: 'y', type: 'quantitative', title: y },
        color: { field: 'series', type: 'nominal', scale: colourScale(names), title: null },
      },
    },
  };
}

function specOf({ row, figures, curves, bars: barred }) {
  if (curves) return lines(curves);
  if (barred) return bars(barred);
  if (!figures || !row.metrics) return undefined;
  const [metric, unit] = Object.entries(row.metrics)[0];
  return dots(figures, metric, unit);
}

/** The SVG of what a row found; undefined where there is nothing to be drawn. */
export async function draw(found) {
  const spec = specOf(found);
  if (!spec) return undefined;
  const vega = requirePeer('vega');
  const logger = vega.logger(vega.Error); // it warns of what is meant
  const compiled = requirePeer('vega-lite').compile({ config, ...spec }, { logger }).spec;
  const view = new vega.View(vega.parse(compiled), { renderer: 'none' });
  const svg = await view.toSVG();
  view.finalize();
  return `${svg}\n`;
}
