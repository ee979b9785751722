// Why a goal may be missed, by its number: what profiles have shown, in a line.
// docs/performance.md has the whole. Printed for a goal only when it is missed.
export const REASONS = {
  1: 'what is left of a hit is an asynchronous function, a look into a Map, a WeakRef and one native call; none of them can go.',
  2: 'without collections of garbage V8 copies 55 KB in 7 µs, less than our JavaScript between Next.js and the record takes; with them the figure says how much garbage either leaves.',
  3: "a fresh process runs JavaScript that is not compiled yet, which is half of a small get, and reads into memory that it never touched, a page fault for every 4 KB. Every record is copied and its checksum verified; lmdb reads its mapping and verifies nothing, and keeps nothing in memory.",
  4: 'what is larger than 64 KB goes to the thread pool, because its copy would keep the thread of JavaScript; of a small set a third is V8, a quarter the write. A bare write of 564 KB, a page of 400, takes two thirds of a tenth of what Next.js takes.',
  5: 'one operation in ten is a set, which costs what goal 4 says; lmdb collects the writes of a while into one transaction.',
  8: "the figure without any cache is the floor under every ratio of delays; \"the machine\" is how long a loop that does nothing is stopped here, and below that the longest call says nothing about a cache.",
  9: 'the mark itself is obeyed at once, as the C interface shows; the rest is JavaScript that runs for the first time after a pause on both sides (the columns "in a row" are without that). The flush is that of the disk, which still writes what was stored just before: a page of another file, flushed in the same moment, is in the table.',
  10: 'what is left are the calls that make it safe: the owner and the kind of each file, the locks, the boot id, the blocks of the index, other releases beside this one.',
  12: "Next.js imports a custom handler three times for every page: its own cache costs as much when it is named as a handler (the table's third line). withDirectHandler spares it that.",
  13: 'of a put a third is `pwritev` into the page cache, a fifth the look at the directory (`lstat`), and a fifth memory that nobody has touched since the key was put before.',
  15: 'a get is a `pread`, because the data file is never mapped: an I/O error or a truncated file is then a miss and not the end of the process, and a cold page does not stop an event loop. The call alone (the column "alone") takes longer than all of an LMDB get but the checksum. A put looks whether the directory is still the one that is mapped (an `lstat`, 0.9 µs), so that one which returned is seen by every process; with its `pwritev` that is three quarters of a put of 2 KB.',
  16: 'the client alone, asked for as many bytes, is the floor (the line "bytes alone"): half of what the others take for 2 KB is little more than that, or less. What is read also goes into memory and onto the disk, where the others put nothing, so that the next get of it asks nobody: that is the row of a load.',
};
