// A custom server; with E2E_WORKERS, a cluster of so many processes on one port.
const cluster = require('node:cluster');
const http = require('node:http');
const next = require('next');

const { PORT, E2E_WORKERS = '0' } = process.env;

async function serve() {
  const app = next({ dev: false, dir: __dirname, hostname: 'localhost', port: Number(PORT) });
  await app.prepare();
  const handle = app.getRequestHandler();
  const server = http.createServer((request, response) => {
    response.setHeader('x-pid', String(process.pid));
    // Otherwise one client would only ever see one worker.
    response.setHeader('connection', 'close');
    handle(request, response);
  });
  await new Promise((resolve) => server.listen(Number(PORT), 'localhost', resolve));
}

async function serveWithWorkers(count) {
  let listening = 0;
  cluster.on('listening', () => {
    if (++listening === count) console.log('Ready in a cluster');
  });
  for (let n = 0; n < count; n += 1) cluster.fork();
  process.on('SIGTERM', () => {
    for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGTERM');
    process.exit(0);
  });
}

const workers = Number(E2E_WORKERS);
if (cluster.isWorker) serve();
else if (workers > 0) serveWithWorkers(workers);
else serve().then(() => console.log('Ready in one process'));
