'use strict';
// The stream that Next.js reads a stored result from. Two of its costs can be
// spared:
//
// A copy of the bytes for each reader is needed only where a page may be given
// them as they are, and may sort them (flight.js). All others have the same.
//
// Next 16 forks the stream of every hit, in case another reader comes while it
// is read, and mostly reads one branch. Branches of a stream that nobody has
// read from are this stream and another one of the same bytes. Node's own tee()
// has to keep two readers of any source in step, and takes three times as long.

const { isDisturbed } = require('node:stream');
const { isAllText } = require('./flight');

const RESULT = Symbol('nextcache.result');
const teeOfNode = ReadableStream.prototype.tee;

/** The same bytes for all readers. */
class SharedSource {
  constructor(bytes) {
    this.bytes = bytes;
  }

  start(controller) {
    controller.enqueue(this.bytes);
    controller.close();
  }
}

/** A copy, made when it is asked for: of two branches one may never be. */
class CopiedSource {
  constructor(bytes) {
    this.bytes = bytes;
  }

  pull(controller) {
    controller.enqueue(new Uint8Array(this.bytes));
    controller.close();
  }
}
const WHEN_ASKED = { highWaterMark: 0 };

function tee() {
  return this.locked || isDisturbed(this) ? teeOfNode.call(this) : [this, streamOf(this[RESULT])];
}

/** The bytes that all readers may have; null where each must have its own. */
const sharedOf = (bytes) => (isAllText(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : null);

/** Whether a reader has transferred the bytes of all. */
const isTaken = ({ shared }) => shared?.length === 0;

/** A stream of a decoded {bytes}, which stay as they are. */
function streamOf(result) {
  const { bytes } = result;
  result.shared ??= sharedOf(bytes);
  const stream = result.shared
    ? new ReadableStream(new SharedSource(result.shared))
    : new ReadableStream(new CopiedSource(bytes), WHEN_ASKED);
  stream[RESULT] = result;
  stream.tee = tee; // not of a class of its own: Node.js 20 makes those at half the speed
  return stream;
}

module.exports = { isTaken, streamOf };
