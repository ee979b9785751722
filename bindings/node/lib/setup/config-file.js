'use strict';
// Finds the object in a next.config file that is the configuration. The file is
// read by the parser that the project's own Next.js has (Babel's), for
// JavaScript and TypeScript alike. What is not surely the configuration is not
// understood, and a NotUnderstood says why: nothing is guessed.

const fs = require('node:fs');
const path = require('node:path');
const Module = require('node:module');

const NAMES = ['next.config.js', 'next.config.mjs', 'next.config.ts', 'next.config.mts']; // in Next's order
const WRAPPERS = ['TSAsExpression', 'TSSatisfiesExpression', 'TSNonNullExpression', 'ParenthesizedExpression'];

class NotUnderstood extends Error {}

function parserOf(root) {
  try {
    return Module.createRequire(path.join(root, 'package.json'))('next/dist/compiled/babel/parser');
  } catch {
    throw new NotUnderstood('Next.js is not installed, or has no parser to read it with');
  }
}

function parse(root, text, typescript) {
  try {
    return parserOf(root).parse(text, {
      sourceType: 'unambiguous',
      tokens: true,
      allowReturnOutsideFunction: true,
      plugins: typescript ? ['typescript'] : [],
    });
  } catch (error) {
    if (error instanceof NotUnderstood) throw error;
    throw new NotUnderstood(`it cannot be parsed: ${error.message}`);
  }
}

// ---- from the export to the object ----------------------------------------------------

/** Names -> what they are declared as, among these statements. */
function declarations(statements) {
  const found = new Map();
  for (const statement of statements) {
    const node = statement.type === 'ExportNamedDeclaration' ? (statement.declaration ?? statement) : statement;
    if (node.type === 'FunctionDeclaration') found.set(node.id.name, node);
    if (node.type !== 'VariableDeclaration') continue;
    for (const { id, init } of node.declarations) {
      if (id.type === 'Identifier' && init) found.set(id.name, init);
    }
  }
  return found;
}

const isModuleExports = (node) =>
  node.type === 'MemberExpression' && node.object.name === 'module' && node.property.name === 'exports';

function exported(statements) {
  const found = [];
  for (const node of statements) {
    if (node.type === 'ExportDefaultDeclaration') found.push(node.declaration);
    if (node.type === 'TSExportAssignment') found.push(node.expression);
    const { expression } = node;
    if (expression?.type === 'AssignmentExpression' && isModuleExports(expression.left)) found.push(expression.right);
  }
  if (found.length !== 1) throw new NotUnderstood(`it exports ${found.length === 0 ? 'nothing' : 'several things'}`);
  return found[0];
}

/** withPlugin(config), withPlugin(options)(config): by their name, because any other function may do anything. */
function isWrapper(callee) {
  if (callee.type === 'CallExpression') return isWrapper(callee.callee);
  return callee.type === 'Identifier' && /^(with[A-Z]|create\w*Plugin)/.test(callee.name);
}

function returned(node, names) {
  if (node.body.type !== 'BlockStatement') return [node.body, names];
  const returns = node.body.body.filter((statement) => statement.type === 'ReturnStatement');
  const inside = JSON.stringify(node.body).split('"type":"ReturnStatement"').length - 1;
  if (returns.length !== 1 || inside !== 1) throw new NotUnderstood('its function returns in several places');
  return [returns[0].argument, new Map([...names, ...declarations(node.body.body)])];
}

/** The ObjectExpression that a node stands for. */
function objectOf(node, names, depth = 0) {
  if (!node || depth > 20) throw new NotUnderstood('its configuration is not an object that can be seen');
  const next = (inner, known = names) => objectOf(inner, known, depth + 1);
  if (node.type === 'ObjectExpression') return node;
  if (WRAPPERS.includes(node.type)) return next(node.expression);
  if (node.type === 'Identifier') return next(names.get(node.name));
  if (/Function/.test(node.type)) return next(...returned(node, names));
  if (node.type === 'CallExpression' && isWrapper(node.callee)) return next(node.arguments[0]);
  throw new NotUnderstood('its configuration is not an object that can be seen');
}

// ---- the file -------------------------------------------------------------------------

/** The file's name in a project; undefined without one. */
const findConfig = (root) => NAMES.find((name) => fs.existsSync(path.join(root, name)));

/** {text, ast, config, isModule, names} of a file, or of a text that it is to hold. */
function readConfig(root, name, text = fs.readFileSync(path.join(root, name), 'utf8')) {
  const typescript = /ts$/.test(name);
  const ast = parse(root, text, typescript);
  const statements = ast.program.body;
  const names = declarations(statements);
  const config = objectOf(exported(statements), names);
  const isModule = statements.some((node) => /^(Import|Export)/.test(node.type));
  return { text, ast, config, isModule, names, statements };
}

const nameOf = (property) => (property.computed ? undefined : (property.key?.name ?? property.key?.value));

/** A property of an object by its name. */
const propertyOf = (object, name) => object.properties.find((property) => nameOf(property) === name);

module.exports = { NotUnderstood, findConfig, nameOf, propertyOf, readConfig };
