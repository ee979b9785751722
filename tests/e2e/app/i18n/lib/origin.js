// The back end of the app: the runner of the checks, which counts what it is
// asked and decides what it answers. A thing that it does not have is null.
export async function ask(name, options) {
  const response = await fetch(`${process.env.E2E_ORIGIN}/${name}`, options);
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`the origin answered ${response.status} to ${name}`);
  return response.json();
}

/** What every version of Next.js keeps until one of the tags is revalidated. */
export const kept = (...tags) => ({ cache: 'force-cache', next: { tags } });
