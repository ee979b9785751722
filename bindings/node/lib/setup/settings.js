'use strict';
// What nextcache needs in next.config, by the release of Next.js: which
// properties init adds, and which ones uninstall takes out.

const { NotUnderstood, nameOf, propertyOf, readConfig } = require('./config-file');
const { applied, endingOf } = require('./edit');

const HANDLER = 'nextcache/cache-handler';
const USE_CACHE_HANDLER = 'nextcache/use-cache-handler';
const CREATE_REQUIRE = ["import { createRequire } from 'node:module';\n", 'const require = createRequire(import.meta.url);\n'];

/** [path of property names, source text], with arrays to be extended as lists. */
function wanted(major, text) {
  const resolve = (file) => `require.resolve('${file}')`;
  const handlers = `{ default: ${resolve(USE_CACHE_HANDLER)}, remote: ${resolve(USE_CACHE_HANDLER)} }`;
  const settings = [[['cacheHandler'], resolve(HANDLER)]];
  if (major >= 16) settings.push([['cacheHandlers'], handlers]);
  // In 15 an experiment that is announced at every start: only where it is used.
  if (major === 15 && /\b(useCache|dynamicIO|cacheComponents)\b/.test(text)) settings.push([['experimental', 'cacheHandlers'], handlers]);
  settings.push([major === 14 ? ['experimental', 'serverComponentsExternalPackages'] : ['serverExternalPackages'], ['nextcache']]);
  return settings;
}

/** For those whose file is not understood: what to write into it. */
function toPaste(major) {
  const lines = wanted(major, '').map(([names, value]) => {
    const text = Array.isArray(value) ? `['${value[0]}']` : value;
    return names.length === 1 ? `  ${names[0]}: ${text},` : `  ${names[0]}: { ${names[1]}: ${text} },`;
  });
  return lines.join('\n');
}

// ---- adding ---------------------------------------------------------------------------

const lineStart = (text, at) => text.lastIndexOf('\n', at - 1) + 1;
const indentAt = (text, at) => /^[ \t]*/.exec(text.slice(lineStart(text, at)))[0];

/** Where to put properties at the end of an object, so that they win over what is spread before. */
function insertion({ text, ast }, object, properties) {
  const close = object.end - 1;
  const last = object.properties.at(-1);
  const outer = indentAt(text, object.start);
  const inner = last && lineStart(text, last.start) > object.start ? indentAt(text, last.start) : `${outer}  `;
  const body = properties.map((property) => `${inner}${property},\n`).join('');
  const edits = [];
  const hasComma = ast.tokens.some((token) => last && token.start >= last.end && token.end <= close && token.type.label === ',');
  if (last && !hasComma) edits.push({ start: last.end, end: last.end, text: ',' });
  const closesLine = text.slice(lineStart(text, close), close).trim() === '';
  if (closesLine && lineStart(text, close) > object.start) {
    edits.push({ start: lineStart(text, close), end: lineStart(text, close), text: body });
  } else {
    const from = text.slice(0, close).trimEnd().length;
    edits.push({ start: from === last?.end && !hasComma ? last.end : from, end: close, text: `\n${body}${outer}` });
  }
  return edits;
}

/** Whether the setting is there already; throws where something else stands in its place. */
function isThere(file, property, value) {
  const text = file.text.slice(property.start, property.end);
  const own = Array.isArray(value) ? value[0] : /nextcache\/[\w-]+/.exec(value)[0];
  if (text.includes(own)) return true;
  if (Array.isArray(value)) return false;
  throw new NotUnderstood(`it has another ${nameOf(property)} already`);
}

function extendArray(file, property, [name]) {
  const list = property.value;
  if (list.type !== 'ArrayExpression') throw new NotUnderstood(`its ${nameOf(property)} is not a list that can be seen`);
  const last = list.elements.at(-1);
  const at = last ? last.end : list.start + 1;
  return [{ start: at, end: at, text: `${last ? ', ' : ''}'${name}'` }];
}

function addSetting(file, [names, value], added) {
  const [first, second] = names;
  const property = propertyOf(file.config, first);
  const source = Array.isArray(value) ? `['${value[0]}']` : value;
  if (!second) {
    if (!property) added.push(`${first}: ${source}`);
    else if (!isThere(file, property, value)) return extendArray(file, property, value);
    return [];
  }
  if (!property) {
    added.push(`${first}: { ${second}: ${source} }`);
    return [];
  }
  if (property.value?.type !== 'ObjectExpression') throw new NotUnderstood(`its ${first} is not an object that can be seen`);
  const inner = propertyOf(property.value, second);
  if (!inner) return insertion(file, property.value, [`${second}: ${source}`]);
  return isThere(file, inner, value) ? [] : extendArray(file, inner, value);
}

/** ES modules have no require; TypeScript configurations are compiled and do. */
function requireEdits(file, isEsm) {
  if (!isEsm || file.names.has('require')) return [];
  const imports = file.statements.filter((node) => node.type === 'ImportDeclaration');
  const at = imports.length > 0 ? imports.at(-1).end : 0;
  const text = CREATE_REQUIRE.join('\n');
  return [at === 0 ? { start: 0, end: 0, text: `${text}\n` } : { start: at, end: at, text: `\n${text.trimEnd()}` }];
}

/** The text of a next.config with what nextcache needs; the same text when all is there. */
function withSettings(root, name, { major, isEsm, text }) {
  const file = readConfig(root, name, text);
  const added = [];
  const edits = wanted(major, file.text).flatMap((setting) => addSetting(file, setting, added));
  if (added.length > 0) edits.push(...insertion(file, file.config, added));
  if (edits.length > 0 && added.some((text) => text.includes('require.'))) edits.push(...requireEdits(file, isEsm));
  const after = applied(file.text, edits);
  readConfig(root, name, after); // what cannot be read any more is not written
  return { before: file.text, after };
}

// ---- taking out -----------------------------------------------------------------------

const mentions = (file, node) => /['"]nextcache(\/[\w-]+)?['"]/.test(file.text.slice(node.start, node.end));

/** A list member with the comma that belongs to it; with its line, where it has one of its own. */
function removal({ text, ast }, node, siblings) {
  const after = ast.tokens.find((token) => token.start >= node.end && token.type.label !== 'CommentLine');
  let [start, end] = [node.start, after?.type.label === ',' ? after.end : node.end];
  const ownLines = text.slice(lineStart(text, start), start).trim() === '' && /^[ \t]*(\r?\n|$)/.test(text.slice(end));
  if (ownLines) return { start: lineStart(text, start), end: text.indexOf('\n', end) + 1 || text.length, text: '' };
  const before = siblings[siblings.indexOf(node) - 1];
  if (before && after?.type.label !== ',') start = before.end;
  else end += /^[ \t]*/.exec(text.slice(end))[0].length;
  return { start, end, text: '' };
}

/** Whether somebody wrote a comment into the object itself, not into a property of it. */
function hasComment({ ast }, object) {
  const within = ({ start, end }, node) => start >= node.start && end <= node.end;
  return ast.comments.some((comment) => within(comment, object) && !object.properties.some((property) => within(comment, property)));
}

/** The edits that take what is ours out of an object; 'all' when nothing of it is left. */
function removals(file, object) {
  const edits = [];
  for (const property of object.properties) {
    if (!property.value || !mentions(file, property)) continue;
    const inner = inside(file, property);
    if (inner === 'all') edits.push(removal(file, property, object.properties));
    else edits.push(...inner);
  }
  const isAll = edits.length > 0 && edits.length === object.properties.length && !hasComment(file, object);
  return isAll ? 'all' : edits;
}

function inside(file, property) {
  const { value } = property;
  const name = nameOf(property);
  if (['cacheHandler', 'cacheHandlers'].includes(name)) return 'all';
  if (name === 'experimental' && value.type === 'ObjectExpression') return removals(file, value);
  if (/xternalPackages$/.test(name) && value.type === 'ArrayExpression') {
    const ours = value.elements.filter((element) => element && mentions(file, element));
    return ours.length === value.elements.length ? 'all' : ours.map((element) => removal(file, element, value.elements));
  }
  return [];
}

/** The text without what init added, or somebody by hand. */
function withoutSettings(root, name) {
  const file = readConfig(root, name);
  const edits = removals(file, file.config);
  const all = edits === 'all' ? [{ start: file.config.start, end: file.config.end, text: '{}' }] : edits;
  let after = applied(file.text, all);
  const ending = endingOf(after);
  const [imported, made] = CREATE_REQUIRE.map((line) => line.replace('\n', ending));
  const rest = after.replace(imported, '').replace(ending + made, '').replace(made, '');
  if (after.includes(made) && !/\brequire\b/.test(rest) && !/createRequire/.test(rest)) after = rest.replace(/^\r?\n/, '');
  readConfig(root, name, after);
  // A wrapper, for example: without the package the site would not start.
  if (/['"`]nextcache['"`/]/.test(after)) throw new NotUnderstood('it uses nextcache in another place, too');
  return { before: file.text, after };
}

module.exports = { toPaste, withSettings, withoutSettings };
