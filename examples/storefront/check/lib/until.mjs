// Waiting for what is under way: the machine may be busy, so the time is generous. What a server
// logs may also come after the answer to the request that it is about.
export async function until(what, holds, seconds = 120) {
  const deadline = Date.now() + seconds * 1000;
  while (Date.now() < deadline) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what} did not happen within ${seconds} s`);
}
