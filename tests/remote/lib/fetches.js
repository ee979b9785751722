'use strict';
// The steps that most tests are made of: a fetch that a pod stores, or asks for.

const get = (pod, name, tags = [], softTags = []) =>
  pod.run(({ handler, key, asked }, ...a) => handler().get(key(a[0]), asked(a[1], a[2])).then((found) => found?.value.data.body ?? null), name, tags, softTags);

const set = (pod, name, body, tags = []) =>
  pod.run(({ handler, key, value, setting }, ...a) => handler().set(key(a[0]), value(a[1]), setting(a[2])), name, body, tags);

/** The program's own call, which rejects when other machines could not be told. */
const mark = (pod, tags, durations) => pod.run(({ nextcache }, ...a) => nextcache.revalidateTag(...a), tags, durations);

/** Waits until the pods have read the whole log. */
async function ready(...pods) {
  const { eventually } = require('../../node/support');
  for (const pod of pods) await eventually(async () => (await pod.stats()).state === 'ready');
}

/** Waits until all pods have obeyed the same entry of the log. */
async function agreed(...pods) {
  const { eventually } = require('../../node/support');
  await eventually(async () => new Set(await Promise.all(pods.map(async (pod) => (await pod.stats()).position))).size === 1);
}

/** Waits until the pod's directory has the place in the log that the pod has reached. */
async function kept(pod) {
  const { eventually } = require('../../node/support');
  const place = ({ engine, saved }) => saved().then((state) => state?.id === engine().remoteStats().position);
  await eventually(() => pod.run(place));
}

/** Waits until what the pods have put is on the server. */
async function settled(...pods) {
  const { eventually } = require('../../node/support');
  for (const pod of pods) {
    let before;
    await eventually(async () => {
      const { puts, queueBytes } = await pod.stats();
      const same = before === puts && queueBytes === 0;
      before = puts;
      if (!same) await new Promise((resolve) => setTimeout(resolve, 15));
      return same;
    });
  }
}

module.exports = { agreed, get, kept, mark, ready, set, settled };
