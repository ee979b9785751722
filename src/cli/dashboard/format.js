// Numbers, sizes and times as the page shows them, as the command line tool does.

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'];

export function bytes(n) {
  let unit = 0;
  while (n >= 1023.5 && unit < UNITS.length - 1) { // what would be written as 1024
    n /= 1024;
    unit += 1;
  }
  return `${unit && n < 99.95 ? n.toFixed(1) : Math.round(n)} ${UNITS[unit]}`;
}

/** 12 345, with spaces that do not break. */
export const count = (n) => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, '\u202f');

/** 1 entry, 12 entries */
export const many = (n, one, more = `${one}s`) => `${count(n)} ${n === 1 ? one : more}`;

/** A rate that is small is not nothing. */
export const rate = (n) => (n > 0 && n < 10 ? n.toFixed(1) : count(n));

export const percent = (of, n) => (n > 0 ? `${((100 * of) / n).toFixed(1)} %` : '–');

export function duration(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 100) return `${Math.round(s)} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  if (s < 129600) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} d`;
}

/** Microseconds, as read on a scale from a memory access to a slow disk. */
export function latency(us) {
  if (us <= 0) return '–';
  if (us < 1000) return `${us < 10 ? us.toFixed(1) : Math.round(us)} µs`;
  return `${(us / 1000).toFixed(us < 100000 ? 1 : 0)} ms`;
}

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const minuteFormat = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const dateFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23' });

export const clock = (ms) => clockFormat.format(ms);
export const minute = (ms) => minuteFormat.format(ms);
export const date = (ms) => dateFormat.format(ms);
