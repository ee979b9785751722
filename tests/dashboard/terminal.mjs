// A terminal that nobody sits at: tmux, on a server of its own. What it shows comes as
// lines of text, or as a page for a picture.
import { execFileSync } from 'node:child_process';

const COLORS = { 31: '#f2635a', 32: '#4fb477', 33: '#e2b04a' };

/** A style after an escape sequence of colours. */
function styled(style, code) {
  if (code === 0) return {};
  if (code === 1) return { ...style, 'font-weight': 700 };
  if (code === 2) return { ...style, opacity: 0.4 };
  return { ...style, color: COLORS[code] ?? 'inherit' };
}

export class Terminal {
  #socket = `nextcache-${process.pid}-${Math.random().toString(36).slice(2)}`;

  constructor(command, { columns, rows, env = {} }) {
    const variables = Object.entries(env).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
    this.#tmux('-f', '/dev/null', 'new-session', '-d', '-x', columns, '-y', rows, ...variables, ...command);
  }

  #tmux(...args) {
    const options = { encoding: 'utf8', env: { ...process.env, TERM: 'xterm-256color', LC_ALL: 'C.UTF-8', TMUX: '' } };
    return execFileSync('tmux', ['-u', '-L', this.#socket, ...args.map(String)], options);
  }

  /** The lines that are seen. */
  lines() {
    return this.#tmux('capture-pane', '-p').replace(/\n$/, '').split('\n');
  }

  /** tmux's own answer to a format such as #{cursor_flag}. */
  ask(format) {
    return this.#tmux('display-message', '-p', format).trim();
  }

  press(...keys) {
    this.#tmux('send-keys', ...keys);
  }

  resize(columns, rows) {
    this.#tmux('resize-window', '-x', columns, '-y', rows);
  }

  /** What is seen, with its colours, as a page. */
  page() {
    const text = this.#tmux('capture-pane', '-e', '-p').replace(/&/g, '&amp;').replace(/</g, '&lt;');
    let style = {};
    const body = text.split(/\x1b\[([\d;]*)m/).map((run, i) => {
      if (i % 2 === 1) style = run.split(';').reduce((before, code) => styled(before, Number(code)), style);
      else return `<span style="${Object.entries(style).map((pair) => pair.join(':')).join(';')}">${run}</span>`;
      return '';
    }).join('');
    return `<!doctype html><meta charset="utf-8"><style>
      body { margin: 0; background: #15171a; color: #d5d8dc; display: inline-block; }
      pre { margin: 14px 18px; font: 14px/18px "DejaVu Sans Mono", monospace; }
    </style><body><pre>${body}</pre>`;
  }

  end() {
    try {
      this.#tmux('kill-server');
    } catch { /* its program has ended, and it with that */ }
  }
}
