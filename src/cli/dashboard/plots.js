// Plots on uPlot (a global, where this nextcache was built with it): their lines, a
// readout in text above each, and keys for the marker.
import { clock, minute } from './format.js';

const Plotter = globalThis.uPlot;
const HEIGHT = 190;

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const hasPlots = Boolean(Plotter);

export class Plot {
  seconds = 300; // shown, whether there are samples of all of them or not
  #times = [];
  #values = [];
  #cells = [];
  #plot;

  /**
   * `series`: [{name, color (a custom property of the style sheet), dash, format}];
   * `range`: the ends of the scale, by the lowest and the highest value shown.
   */
  constructor(element, { title, series, range = (_, high) => [0, Math.max(1, (high ?? 0) * 1.1)] }) {
    Object.assign(this, { element, title, series, range });
    element.classList.add('plot');
    this.#makeReadout();
    if (!hasPlots) return;
    this.box = document.createElement('div');
    this.box.className = 'canvas';
    this.box.tabIndex = 0;
    this.box.setAttribute('role', 'application');
    this.box.setAttribute('aria-roledescription', 'plot');
    this.box.setAttribute('aria-label', `${title}. Left and right move the marker, Escape lets it go.`);
    this.box.addEventListener('keydown', (event) => this.#onKey(event));
    this.box.addEventListener('blur', () => this.#mark(null));
    element.append(this.box);
    this.draw();
    new ResizeObserver(() => this.#plot.setSize(this.#size())).observe(this.box);
  }

  #makeReadout() {
    const list = document.createElement('dl');
    list.className = 'readout';
    this.when = document.createElement('p');
    this.when.className = 'when';
    this.when.textContent = this.title;
    this.series.forEach(({ name, color, dash }) => {
      const row = document.createElement('div');
      const term = document.createElement('dt');
      const value = document.createElement('dd');
      const swatch = document.createElement('i');
      swatch.className = dash ? 'dashed' : '';
      swatch.style.borderTopColor = `var(${color})`;
      term.append(swatch, name);
      value.textContent = '–';
      row.append(term, value);
      list.append(row);
      this.#cells.push(value);
    });
    this.element.append(this.when, list);
  }

  #size() {
    return { width: Math.max(200, Math.floor(this.box.clientWidth)), height: HEIGHT };
  }

  /** Draws anew from the colours that hold now. */
  draw() {
    if (!hasPlots) return;
    this.#plot?.destroy();
    const axis = { stroke: style('--soft'), font: `11px ${style('--font')}`, grid: { stroke: style('--line'), width: 1 }, ticks: { show: false } };
    this.#plot = new Plotter({
      ...this.#size(),
      padding: [8, 4, 0, 0],
      cursor: { sync: { key: 'all', setSeries: false }, drag: { x: false, y: false }, y: false, points: { size: 6 } },
      legend: { show: false },
      scales: { x: { time: true, range: (_, first, last) => [first && Math.min(first, last - this.seconds), last] }, y: { range: (_, low, high) => this.range(low, high) } },
      series: [{}, ...this.series.map(({ name, color, dash }) => ({ label: name, stroke: style(color), width: 1.6, dash: dash ? [5, 4] : undefined, points: { show: false }, spanGaps: false }))],
      axes: [
        { ...axis, space: 70, size: 28, values: (_, ticks) => ticks.map((t, i) => (ticks[1] - ticks[0] < 60 ? clock(t * 1000) : minute(t * 1000))) },
        { ...axis, size: 52, values: (_, ticks) => ticks.map((value) => this.series[0].format(value)) },
      ],
      hooks: { setCursor: [(plot) => this.#read(plot.cursor.idx)] },
    }, [this.#times, ...this.#values], this.box);
  }

  /** New data: times in ms, and for each line its values, null where nothing is known. */
  set(times, values) {
    this.#times = times.map((ms) => ms / 1000);
    this.#values = values;
    this.#plot?.setData([this.#times, ...values]);
    this.#read(this.#plot?.cursor.idx ?? null);
  }

  /** The values at the marker, or else the last ones. */
  #read(index) {
    const marked = index !== null && index !== undefined && index < this.#times.length;
    const at = marked ? index : this.#times.length - 1;
    this.when.textContent = marked ? `${this.title} at ${clock(this.#times[at] * 1000)}` : this.title;
    this.series.forEach(({ format }, i) => {
      const value = this.#values[i]?.[at];
      this.#cells[i].textContent = value === null || value === undefined ? '–' : format(value);
    });
  }

  #mark(index) {
    if (!this.#times.length) return;
    if (index === null) {
      this.#plot.setCursor({ left: -10, top: -10 }, true, true);
      return;
    }
    const at = Math.min(Math.max(index, 0), this.#times.length - 1);
    this.#plot.setCursor({ left: this.#plot.valToPos(this.#times[at], 'x'), top: 10 }, true, true);
  }

  #onKey(event) {
    const last = this.#times.length - 1;
    const at = this.#plot.cursor.idx ?? last;
    const step = event.shiftKey ? 10 : 1;
    const to = { ArrowLeft: at - step, ArrowRight: at + step, Home: 0, End: last, Escape: null }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.#mark(to);
  }
}
