/** Requests paths over and over, `width` at a time, until stopped. `expect`
 *  says what holds when a request begins; `judge` gets that and the page, and
 *  says what is wrong with it, if anything. */
export function startLoad({ server, paths, width = 3, expect = () => undefined, judge }) {
  const problems = [];
  const inFlight = new Set();
  let requests = 0;
  let running = true;

  const ask = async (path) => {
    const expected = expect(path);
    try {
      const problem = judge(await server.get(path), path, expected);
      if (problem) problems.push(`${path}: ${problem}`);
    } catch (error) {
      problems.push(`${path}: ${error.cause?.message ?? error.message}`);
    }
    requests += 1;
  };
  const work = async (first) => {
    for (let at = first; running; at += 1) {
      const request = ask(paths[at % paths.length]);
      inFlight.add(request);
      await request;
      inFlight.delete(request);
    }
  };
  const workers = Array.from({ length: width }, (_, turn) => work(turn * 7));

  return {
    /** Until every request that is under way now has been answered. Next.js
     *  joins a request to work already begun for the same page; from here on
     *  all such work began after this call. */
    turnover: () => Promise.all([...inFlight]),
    async stop() {
      running = false;
      await Promise.all(workers);
      return { requests, problems };
    },
  };
}
