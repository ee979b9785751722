// Next's own cache in the place of a custom handler: what any handler costs.
const { default: FileSystemCache } = require('next/dist/server/lib/incremental-cache/file-system-cache');

module.exports = FileSystemCache;
