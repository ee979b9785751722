// Everything in a Next.js that reads what React wrote: for both bundlers, Node.js,
// the edge and browsers, in production and development. What one of them hands
// out, and whether it is a view of what it read.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const PATIENCE_MS = 20; // for what never comes
const MANIFEST = { moduleMap: {}, moduleLoading: null, serverModuleMap: {} };
const BUNDLERS = ['webpack', 'turbopack'].flatMap((bundler) => [[bundler, ''], [bundler, '-experimental']]);
const PLACES = ['node', 'edge', 'browser'].flatMap((place) => ['production', 'development'].map((mode) => `${place}.${mode}`));

/** Globals that bundles give to it. */
function standIn() {
  for (const name of ['__webpack_require__', '__turbopack_require__']) globalThis[name] = () => ({});
  for (const name of ['__webpack_chunk_load__', '__turbopack_load__', '__turbopack_load_by_url__']) globalThis[name] = async () => {};
}

/** {name, read} for each; read(bytes) gives what the root row stands for, an error, or undefined. */
export function flightClients(next) {
  standIn();
  const require = createRequire(join(next, 'package.json'));
  const files = BUNDLERS.flatMap(([bundler, channel]) => {
    const folder = join(next, `dist/compiled/react-server-dom-${bundler}${channel}/cjs`);
    return PLACES.map((place) => join(folder, `react-server-dom-${bundler}-client.${place}.js`));
  });
  return files.filter(existsSync).map((file) => {
    const { createFromReadableStream } = require(file);
    const read = (bytes) => {
      const source = { start: (controller) => (controller.enqueue(bytes), controller.close()) };
      const root = createFromReadableStream(new ReadableStream(source), { serverConsumerManifest: MANIFEST, callServer() {} });
      const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
      return Promise.race([Promise.resolve(root).catch((error) => error), late]);
    };
    return { name: file.slice(next.length), read };
  });
}

/** Whether something that is reached from `value` shares memory with `bytes`. */
export function hasViewOf(bytes, value, depth = 4) {
  if (value === null || typeof value !== 'object' || depth === 0) return false;
  if (value instanceof ArrayBuffer) return value === bytes.buffer;
  if (ArrayBuffer.isView(value)) return value.buffer === bytes.buffer;
  return Object.values(value).some((inner) => hasViewOf(bytes, inner, depth - 1));
}
