// Why a goal may be missed, by its number: what profiles have shown, in a line.
// docs/performance.md has the whole. Printed for a goal only when it is missed.
export const REASONS = {
  1: 'what is left of a hit is an asynchronous function, a look into a Map, a WeakRef and one native call; none of them can go.',
  2: 'without collections of garbage V8 copies 55 KB in 7 µs, less than our JavaScript between Next.js and the record takes; with them the figure says how much garbage either leaves.',
  3: "every record is copied out of the page cache into memory of its own, which the kernel clears first, and its checksum is verified; lmdb reads its mapping and verifies nothing. A fresh process also runs JavaScript that is not compiled yet.",
  4: 'what is larger than 64 KB goes to the thread pool, because its copy would keep the thread of JavaScript; of a small set a third is V8, an eighth the write.',
  5: 'one operation in ten is a set, which costs what goal 4 says; lmdb collects the writes of a while into one transaction.',
  8: "the figure without any cache is the floor under every ratio of delays; of the longest calls what is not a wait for a processor is V8's collections and a get of 400 KB from disk.",
  9: 'the mark itself is obeyed at once, as the C interface shows; the rest is JavaScript that runs for the first time after a pause, and the turns of two event loops. The flush is that of the disk.',
  10: 'what is left are the calls that make it safe: the owner and the kind of each file, the locks, the boot id, the blocks of the index, other releases beside this one.',
  12: "Next.js imports a custom handler, and makes a key of its own for it, with every request: its own cache costs as much when it is named as a handler (the table's third line).",
  13: 'of a put a third is `pwritev` into the page cache, a fifth the look at the directory (`lstat`), and a fifth memory that nobody has touched since the key was put before.',
  15: 'a get is a `pread`, because the data file is never mapped: an I/O error or a truncated file is then a miss and not the end of the process, and a cold page does not stop an event loop. The call alone (the column "alone") takes longer than all of an LMDB get but the checksum. A put looks whether the directory is still the one that is mapped (an `lstat`, 0.9 µs), so that one which returned is seen by every process; with its `pwritev` that is three quarters of a put of 2 KB.',
  16: "the client alone, asked for as many bytes, is the floor (the tables' last lines), and for 2 KB it is above half of what another handler spends; the rest is that what is read also goes into memory and onto the disk, and that records from 8 KB on are packed, which the others leave out.",
};
