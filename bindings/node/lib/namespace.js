'use strict';
// Which build a page belongs to. Pages and route handlers of one build must
// never be served by another, also when both have the same BUILD_ID, because
// their HTML names chunks and their data has shapes that only their own build
// has. Fetches are not namespaced: they are meant to outlive builds.

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { isBuilding } = require('./config');
const { readBuildRecord, recordBuildStart } = require('./build-record');
const { nextVersion } = require('./next');
const { shared, sharedIfAny } = require('./shared');

// Raise it when the codec, or what an entry holds, changes its meaning.
const VALUE_FAMILY = '2';

function readOr(file, otherwise) {
  try {
    return fs.readFileSync(file);
  } catch {
    return otherwise;
  }
}

function computeNamespace(serverDistDir) {
  const dist = path.dirname(/* turbopackIgnore: true */ serverDistDir);
  const buildId = readOr(path.join(/* turbopackIgnore: true */ dist, 'BUILD_ID'));
  if (!buildId) return undefined;
  const hash = crypto.createHash('sha256');
  const parts = [
    buildId,
    readOr(path.join(/* turbopackIgnore: true */ dist, 'build-manifest.json'), ''),
    nextVersion(),
    VALUE_FAMILY,
    readBuildRecord(serverDistDir)?.id ?? '',
  ];
  for (const part of parts) {
    hash.update(`${part.length}:`);
    hash.update(part);
  }
  return hash.digest('base64url').slice(0, 16);
}

/**
 * The namespace of the build below `serverDistDir`; undefined while there is
 * none (a build under way). It is computed once: a server goes on serving the
 * build that it was started with.
 */
function pageNamespace(serverDistDir) {
  if (!serverDistDir) return undefined;
  const known = shared('namespaces', () => new Map());
  let namespace = known.get(serverDistDir);
  if (namespace === undefined) {
    namespace = computeNamespace(serverDistDir);
    if (namespace !== undefined) known.set(serverDistDir, namespace);
  }
  return namespace;
}

/**
 * Tells which build this process works for, or serves. Called with every
 * handler instance; all but the first call for a directory cost a look-up.
 */
function noteBuild(serverDistDir) {
  const builds = shared('builds', () => new Map());
  if (!serverDistDir || builds.has(serverDistDir)) return;
  const record = isBuilding() ? recordBuildStart(serverDistDir) : readBuildRecord(serverDistDir);
  builds.set(serverDistDir, record?.id ?? pageNamespace(serverDistDir) ?? '');
}

/**
 * The name of that build for what is not a page, the same while it is under
 * way and when it is served; '' before any instance has told.
 */
const buildName = () => sharedIfAny('builds')?.values().next().value ?? '';

module.exports = { buildName, noteBuild, pageNamespace };
