// What a trace says happened to an entry before a row: who set it, and which
// marks its tags got. Rules in differences.js ask it whether a difference has
// the reason that they give.
'use strict';

/** Next writes path tags percent-encoded in some places and not in others. */
function spelling(tag) {
  try {
    return decodeURIComponent(tag);
  } catch {
    return tag;
  }
}

const headerTags = (value) => value?.headers?.['x-next-cache-tags']?.split(',') ?? [];

class History {
  #sets = new Map(); // "<cls> <key>" -> {row, t, phase, inst, tags}
  #marks = [];

  note(row) {
    const { op, cls, args } = row;
    if (op === 'revalidateTag' || op === 'updateTags') this.#marks.push(markOf(row));
    else if (op === 'set' && cls === 'singular') this.#set(row, args[2].tags ?? headerTags(args[1]));
    else if (op === 'set:entry') this.#set(row, args[1].tags, args[1].timestamp);
  }

  #set({ index, t, phase, inst, cls, args }, tags, born = t) {
    this.#sets.set(`${cls} ${args[0]}`, { row: index, t, phase, inst, tags, born });
  }

  /**
   * {set, marks, pathMarks} of the entry that a get asks for; no set: build
   * output. The last are revalidations of its path, whether it has that tag or not.
   */
  of({ cls, args, result, t }) {
    const set = this.#sets.get(`${cls} ${args[0]}`);
    const asked = cls === 'singular' ? [...(args[1].tags ?? []), ...(args[1].softTags ?? [])] : args[1];
    const tags = new Set([...(set?.tags ?? []), ...(asked ?? []), ...headerTags(result?.value)].map(spelling));
    const path = `_N_T_${String(args[0]).replace(/^.*\/\$(?=\/)/s, '')}`;
    return {
      t,
      set,
      marks: this.#marks.filter((mark) => mark.tags.some((tag) => tags.has(tag))),
      pathMarks: this.#marks.filter((mark) => mark.tags.includes(spelling(path))),
    };
  }
}

function markOf({ index, t, inst, args: [tags, durations] }) {
  return { row: index, t, inst, tags: [tags].flat().map(spelling), expire: typeof durations?.expire === 'number' ? durations.expire : 0 };
}

const isAfter = ({ set }) => (mark) => mark.row > (set?.row ?? -1);

/** Whether a mark since the set says "stale now, dead later". */
const isStale = (history) => history.marks.filter(isAfter(history)).some((mark) => mark.expire > 0);

/** Whether the entry was set between a mark and the deadline that the mark gave. */
const outlivesDeadline = ({ set, marks, t }) =>
  marks.some((mark) => mark.row < set?.row && mark.expire > 0 && mark.t + mark.expire * 1000 >= set.t && mark.t + mark.expire * 1000 <= t);

/** Whether all marks since the set repeat what the same request said before it. */
function isOnlyRepeated(history) {
  const since = history.marks.filter(isAfter(history));
  const said = (repeat) => history.marks.some((mark) => mark.row < history.set?.row && mark.inst === repeat.inst && mark.expire === repeat.expire);
  return since.length > 0 && since.every(said);
}

/** Whether a mark that says "dead now" came after the entry was begun. */
const isDead = ({ set, marks }) => marks.some((mark) => mark.expire === 0 && mark.t > (set?.born ?? 0));

/** Whether the path of the entry was revalidated since the set. */
const isPathRevalidated = (history) => history.pathMarks.some(isAfter(history));

module.exports = { History, isDead, isOnlyRepeated, isPathRevalidated, isStale, outlivesDeadline };
