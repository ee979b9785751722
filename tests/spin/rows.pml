/* rows.pml - rule 6: the tag rows of src/tags.c, for one tag that is looked at.
 *
 * A bucket of WAYS rows, which two markers fill with marks of the tag A, that of the
 * entry, and of B, which needs its row; a reader with a memory tier; somebody who kills
 * one marker anywhere; or a power cut. Every access to shared memory is one step.
 *
 *   mark   value = epoch + 1 -> row word -> is it still ours? -> epoch + 1 -> flush
 *   free   hash | DYING -> floor >= row word -> flush -> epoch + 1 -> hash = 0
 *   read   epoch -> rows -> floor
 *
 * What is asserted:
 *  - a mark of A that loaded the epoch after the entry was born, and returned before a
 *    get began, is obeyed by this get, from memory or not, and after a power cut;
 *  - when no marker is under way any more, killed ones included, and somebody has looked
 *    at the rows, content that is born then is alive.
 *
 * "Dead" marks alone: a stale one takes the same way, and deadlines are no part of rule
 * 6. Which row has to go is chosen freely here, the oldest being one of the choices.
 * -DMARKS=n of each marker, -DWAYS=n, -DTRIES=n, -DKILL, -DCUT, -DNO_... take a rule away: see `run`.
 */
#ifndef MARKS
#define MARKS 2
#endif
#ifndef WAYS
#define WAYS 1
#endif
#ifndef TRIES
#define TRIES 1  /* 64 in the source: then the floor rises for all tags */
#endif
#define CLAIMS 2 /* 64 in the source */

#define A 1
#define B 2
#define DYING 4
#define JUMP 32 /* of the epoch after another boot */

typedef row { byte hash, dead }

row rows[WAYS];
byte epoch = 10, level = 10; /* the floor */
#ifdef CUT /* as of the last flush */
row flushed_rows[WAYS];
byte flushed_epoch = 10, flushed_level = 10;
#endif

/* What nobody but the assertions looks at. */
byte birth;     /* of the entry; 0: not yet born */
bool condemned; /* a mark that counts has returned */
byte gone;      /* markers that ended, or were killed */
bool killed[2], cut;

inline raise(word, value) {
  d_step { if :: word < value -> word = value :: else fi }
}

/* The header and the rows. What else of the pages has reached the disk, and when, is
 * the business of lose(). */
inline flush() {
#ifdef CUT
  d_step {
    flushed_epoch = epoch; flushed_level = level;
    way2 = 0;
    do
    :: way2 < WAYS ->
      flushed_rows[way2].hash = rows[way2].hash; flushed_rows[way2].dead = rows[way2].dead; way2++
    :: else -> way2 = 0; break
    od
  }
#else
  skip
#endif
}

/* ---- rows come and go ------------------------------------------------------------ */

/* Completes the freeing of a row, whoever began it. */
inline row_free() {
#ifdef FREE_BEFORE_FLOOR
  d_step { if :: rows[way].hash == dying -> rows[way].hash = 0 :: else fi };
#endif
  marked = rows[way].dead;
#ifndef NO_FLOOR
  raise(level, marked);
#endif
#ifndef NO_FLUSH_BEFORE_FREE
  flush();
#endif
#ifndef NO_EPOCH_ON_FREE
  epoch++;
#endif
  d_step { if :: rows[way].hash == dying -> rows[way].hash = 0 :: else fi; marked = 0 }
}

/* {way} of the tag's row, or {WAYS}: others keep interfering. */
inline row_claim() {
  claims = 0;
  do
  :: d_step { claims == CLAIMS -> way = WAYS }; break
  :: d_step { claims < CLAIMS -> claims++; way = 0; dying = 0 };
    /* Its own row, dying or not. */
    do
    :: d_step { way < WAYS && (rows[way].hash & 3) != tag -> way++ }
    :: d_step { way < WAYS && (rows[way].hash & 3) == tag -> dying = rows[way].hash }; break
    :: way == WAYS -> break
    od;
    if
    :: dying == tag -> break
    :: dying > tag -> row_free()
    :: else -> /* none: a free one, or one that has to go */
      way = 0;
      do
      :: d_step { way < WAYS && rows[way].hash != 0 -> way++ }
      :: way < WAYS && rows[way].hash == 0 -> dying = 0; break
      :: way == WAYS ->
        if
        :: way = 0
#if WAYS > 1
        :: way = 1
#endif
        fi;
        dying = rows[way].hash;
        break
      od;
      if
      :: dying == 0 ->
        d_step { if :: rows[way].hash == 0 -> rows[way].hash = tag; ok = true :: else fi };
        if
        :: d_step { ok -> ok = false }; break
        :: !ok
        fi
      :: dying != 0 ->
#ifdef NO_DYING
        row_free()
#else
        d_step {
          if
          :: dying & DYING -> ok = true
          :: !(dying & DYING) && rows[way].hash == dying ->
            dying = dying | DYING; rows[way].hash = dying; ok = true
          :: else
          fi
        };
        if
        :: d_step { ok -> ok = false }; row_free()
        :: !ok
        fi
#endif
      fi
    fi
  od;
  skip;
  d_step { claims = 0; dying = 0 }
}

/* ---- marking --------------------------------------------------------------------- */

inline mark() {
  d_step { value = epoch + 1; counts = birth != 0 && tag == A };
#ifdef EPOCH_BEFORE_ROW
  epoch++;
#endif
  tries = 0;
  do
  :: tries == TRIES -> break
  :: tries < TRIES ->
    tries++;
    row_claim();
    if
    :: d_step { way == WAYS -> tries = TRIES }; break
    :: way < WAYS ->
      raise(rows[way].dead, value);
#ifdef NO_MARK_AGAIN
      done = true; break
#else
      if
      :: d_step { rows[way].hash == tag -> done = true }; break
      :: rows[way].hash != tag
      fi
#endif
    fi
  od;
  if
  :: done
  :: !done -> /* nowhere: all tags pay */
    marked = epoch + 1;
    raise(level, marked);
    epoch++
  fi;
#ifndef EPOCH_BEFORE_ROW
  epoch++;
#endif
#ifndef NO_FLUSH_OF_MARKS
  flush();
#endif
  d_step {
    if :: counts -> condemned = true :: else fi;
    value = 0; counts = false; done = false; marked = 0; tries = 0; way = 0
  }
}

#define LOCALS \
  byte tag, value, way, way2, dying, marked, claims, tries; \
  bool counts, done, ok

proctype marker(byte me) {
  LOCALS;
  byte n;
  {
    do
    :: n < MARKS && !cut ->
      n++;
      if
      :: tag = A
      :: tag = B
      fi;
      mark()
    :: n == MARKS || cut -> break
    od
  }
#if defined(KILL) || defined(CUT)
  unless { killed[me] || cut }
#endif
  ;
  skip;
  d_step { gone++; n = 0; tag = 0; value = 0; way = 0; dying = 0; marked = 0; claims = 0; tries = 0;
    counts = false; done = false; ok = false }
}

/* ---- reading --------------------------------------------------------------------- */

/* Moves the epoch for a process that wrote its mark and did not come to it. */
inline finish_mark(found) {
#ifndef NO_FINISHING
  seen = epoch;
  if
  :: found == seen + 1 -> raise(epoch, found)
  :: else
  fi;
  seen = 0
#else
  skip
#endif
}

inline look_at_rows() {
  way = 0;
  do
  :: d_step { way < WAYS && (rows[way].hash & 3) != A -> way++ }
  :: way < WAYS && (rows[way].hash & 3) == A ->
    marked = rows[way].dead;
    finish_mark(marked);
    d_step { if :: marked > born -> dead = true :: else fi; marked = 0; way++ }
  :: d_step { way == WAYS -> way = 0 }; break
  od;
  skip
}

inline look_at_floor() {
  marked = level;
  finish_mark(marked);
  d_step { if :: born < marked -> dead = true :: else fi; marked = 0 }
}

/* The fate of what was born at `born` into {dead}. */
inline look() {
  dead = false;
#ifdef FLOOR_BEFORE_ROWS
  look_at_floor();
  look_at_rows()
#else
  look_at_rows();
  look_at_floor()
#endif
}

/* In the memory tier a fate holds as long as the epoch has not moved; what is dead goes. */
inline get() {
  need = condemned;
#ifdef EPOCH_AFTER_ROWS
  if
  :: epoch == known
  :: epoch != known -> look(); known = epoch
  fi;
#else
  now = epoch;
  if
  :: now == known
  :: now != known -> look(); known = now
  fi;
#endif
  d_step {
    assert(!need || dead);
    if :: dead -> known = 0 :: else fi;
    now = 0; need = false
  }
}

proctype reader() {
  byte way, marked, seen, now, known, born;
  bool dead, need;
  d_step { birth = epoch; born = birth };
#ifdef KILL
  gone == 2;
  look();
  /* Nobody marks: what is born now lives. */
  born = epoch;
  look();
  assert(!dead)
#else
#ifndef CUT
  get();
  get()
#endif
#endif
}

proctype killer() {
  if
  :: killed[0] = true
  :: killed[1] = true
  fi
}

/* ---- the power goes --------------------------------------------------------------- */

#ifdef CUT
/* Each page is on the disk as it is, or as it was flushed: the header, and the rows. */
inline lose() {
  if
  :: skip
  :: d_step { epoch = flushed_epoch; level = flushed_level }
  fi;
  if
  :: skip
  :: d_step {
      way2 = 0;
      do
      :: way2 < WAYS ->
        rows[way2].hash = flushed_rows[way2].hash; rows[way2].dead = flushed_rows[way2].dead; way2++
      :: else -> way2 = 0; break
      od
    }
  fi
}

proctype power() {
  LOCALS;
  byte seen, now, known, born;
  bool dead, need;
  birth != 0;
  cut = true; /* nobody takes another step */
  gone == 2;
  atomic {
    lose();
#ifndef NO_JUMP
    epoch = epoch + JUMP
#else
    skip
#endif
  };
  born = birth;
  get();
  /* And a mark that is made now is obeyed by what is older, whatever the disk forgot. */
  tag = A;
  mark();
  known = 0;
  get()
}
#endif

init {
  atomic {
#ifdef CUT
    birth = 0;
    run power();
#endif
    run marker(0);
    run marker(1);
#ifdef KILL
    run killer();
#endif
    run reader();
    skip
  }
}
