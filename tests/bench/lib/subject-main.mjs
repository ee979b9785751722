// The process of one subject. It opens the subject for a row and does what it
// is asked over IPC: one thing at a time, one answer for each question.
import { entryOf } from './entries.mjs';
import { differences } from './handler-cache.mjs';

let cache;
let row;
let setting;
let context;

const questions = {
  async open({ subject, rowName, options, ...rest }) {
    setting = rest.setting;
    row = await import(`../rows/${rowName}.mjs`);
    cache = await (await import(`../subjects/${subject}.mjs`)).open(options);
  },

  /** What the rounds will need: done by one process of a subject. */
  async fill() {
    await row.fill?.(cache, setting);
  },

  /** What each process needs before its first round. */
  async begin() {
    context = await row.begin?.(cache, setting);
  },

  round: (number) => row.round(cache, setting, context, number),

  /** Any other function of the row. */
  call: ({ name, argument }) => row[name](cache, setting, context, argument),

  /** What it does not give back as it was given; an empty list is right. */
  async fidelity(shape) {
    const entry = entryOf(shape, 999_999);
    await cache.set(entry);
    const value = cache.valueOf(await cache.get(entry));
    return differences(value, cache.wanted?.(entry) ?? entry.value);
  },

  async close() {
    await cache?.close();
  },
};

process.on('message', async ({ id, name, argument }) => {
  try {
    process.send({ id, answer: await questions[name](argument) });
  } catch (error) {
    process.send({ id, problem: String(error?.stack ?? error) });
  }
});
process.once('disconnect', () => process.exit());
