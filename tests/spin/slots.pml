/* slots.pml - the slot protocol of src/ring.c, for one key.
 *
 * A ring of two segments with two places each, a bucket of two slots; writers that
 * put or remove, a mover, readers with a memory tier, and others who use the ring
 * up. Every access to shared memory is one step, so every interleaving is tried. A
 * process that is killed or stopped is one that takes no further step; nothing is
 * released by its end, so each such run is a prefix of a run that is tried, and the
 * others finish without it.
 *
 *   word      position | MOVED | TOMB        0: empty
 *   position  segment sequence * 2 + place   a version is named by the position
 *             that its put took; a copy of the mover carries its original's name
 *
 * What is asserted, in get() and at the end:
 *  - what a get returns is not older than the newest put, remove or get that had
 *    returned when it began (`newest`), from memory by token or from the ring;
 *  - the bytes are those of the version that the word stands for;
 *  - when no writer is under way, one live word of the key is left at most.
 *
 * -DWRITERS=n -DREMOVER -DMOVER -DREADERS=n -DGETS=n -DROUNDS=n make the set-up,
 * -DNO_... takes a rule away: see `run`.
 */
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef READERS
#define READERS 1
#endif
#ifndef GETS
#define GETS 2
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif

#define WAYS 2
#define SEGMENTS 2
#define PLACES 2
#define FIRST 2             /* sequence that holds the first version */
#define LAST (3 + ROUNDS)   /* the ring is not used beyond this sequence */

#define MOVED 32
#define TOMB 64
#define POSITION(w) ((w) & 31)
#define SEQ(w) (POSITION(w) / PLACES)
#define PLACE(w) (POSITION(w) % (SEGMENTS * PLACES))
#define ALIVE(w) (segment[SEQ(w) % SEGMENTS] == SEQ(w))

/* The cursor is one word: sequence * 4 + the next free place. */
#define CURSOR(seq, place) ((seq) * 4 + (place))
#define C_SEQ(c) ((c) / 4)
#define C_PLACE(c) ((c) % 4)

#ifdef NO_GENUINE_FIRST /* rule 2 */
#define BEATS(a, b) (POSITION(a) > POSITION(b))
#else
#define BEATS(a, b) (((a) & MOVED) != ((b) & MOVED) -> !((a) & MOVED) : POSITION(a) > POSITION(b))
#endif
/* A put that slept beside a copy out of the segment that its own position is in. */
#define MIXED(a, b) (((a) & MOVED) != ((b) & MOVED))
#define GENUINE(a, b) (((a) & MOVED) -> (b) : (a))
#ifdef NO_UNDECIDABLE /* rule 2 */
#define UNDECIDABLE(a, b) false
#else
#define UNDECIDABLE(a, b) \
  (MIXED(a, b) && SEQ(GENUINE(a, b)) + SEGMENTS <= C_SEQ(cursor) + 1)
#endif
#ifdef NO_POSITION_CHECK /* rule 5 */
#define POSITION_FITS(h, w) true
#else
#define POSITION_FITS(h, w) ((h) == POSITION(w))
#endif
#ifdef NO_CHECKSUM /* rule 5 */
#define SUM_FITS(a, b) true
#else
#define SUM_FITS(a, b) ((a) == (b))
#endif

byte slot[WAYS];
byte segment[SEGMENTS];
byte cursor;
/* A record on the disk is written, and read, in two pieces. */
byte head_position[4], head_version[4], body_version[4];

/* What nobody but the assertions looks at. */
byte newest;
byte wrote[32]; /* the version of which the mover put a copy at a position */
byte under_way;     /* writers */

inline raise_newest(v) { if :: v > newest -> newest = v :: else fi }

/* ---- positions ------------------------------------------------------------------- */

/* Leaves the segment that `seen` points into: load, look again, CAS, CAS. */
inline advance() {
  holds = segment[(C_SEQ(seen) + 1) % SEGMENTS];
  if
#ifndef NO_SECOND_LOOK
  :: cursor != seen -> skip
  :: cursor == seen ->
#else
  :: true ->
#endif
    d_step {
      ok = false;
      if
      :: holds < C_SEQ(seen) + 1 && segment[(C_SEQ(seen) + 1) % SEGMENTS] == holds ->
        segment[(C_SEQ(seen) + 1) % SEGMENTS] = C_SEQ(seen) + 1;
        ok = true
      :: else -> ok = holds == C_SEQ(seen) + 1
      fi
    };
    d_step {
      if
      :: ok && cursor == seen -> cursor = CURSOR(C_SEQ(seen) + 1, 0)
      :: else
      fi;
      ok = false
    }
  fi;
  d_step { seen = 0; holds = 0 }
}

/* A position, or 0. The end of the modelled ring is a ring that gives none. */
inline reserve(stay) {
  position = 0;
  do
  :: seen = cursor;
    if
    :: d_step {
        C_PLACE(seen) < PLACES && segment[C_SEQ(seen) % SEGMENTS] == C_SEQ(seen) -> ok = true
      };
      d_step {
        if
        :: cursor == seen ->
          cursor = seen + 1;
          position = C_SEQ(seen) * PLACES + C_PLACE(seen)
        :: else
        fi;
        seen = 0;
        ok = false
      };
      if
      :: position != 0 -> break
      :: else
      fi
    :: else ->
      if
      :: d_step { stay || C_SEQ(seen) >= LAST -> seen = 0 }; break
      :: else -> advance()
      fi
    fi
  od;
  skip
}

inline write_record(version) {
  d_step { head_position[PLACE(position)] = position; head_version[PLACE(position)] = version };
  body_version[PLACE(position)] = version
}

/* ---- the bucket -------------------------------------------------------------------- */

/* {loser, lost} is what of `word` and the best so far is to be cleared. */
inline compare() {
  if
  :: best == 0 || BEATS(word, best) -> loser = best; lost = at; best = word; at = i
  :: else -> loser = word; lost = i
  fi
}

/* The best word of the key into {best, at}; what loses to it is cleared, by writers
 * what is dead too; and all over again when somebody interfered. */
inline scan(writer) {
  d_step { best = 0; at = 0; i = 0 };
  do
  :: d_step { i < WAYS && slot[i] == 0 -> i++ }
  :: d_step { i < WAYS && slot[i] != 0 -> word = slot[i] };
    d_step {
      if
      :: !ALIVE(word) ->
#ifdef NO_CLEARING_OF_DEAD /* rule 1 */
        skip
#else
        if
        :: writer -> loser = word; lost = i
        :: else
        fi
#endif
      :: ALIVE(word) && best != 0 && MIXED(word, best) -> mixed = true
      :: else -> compare()
      fi
    };
    if
    :: d_step { mixed -> mixed = false; both = UNDECIDABLE(word, best) };
      if
      :: both ->
        d_step {
          /* {lost, loser} becomes the one that is cleared first: the genuine one. */
          if
#ifdef COPY_FIRST
          :: word & MOVED -> loser = word; lost = i; word = best; i2 = at
          :: else -> loser = best; lost = at; i2 = i
#else
          :: word & MOVED -> loser = best; lost = at; i2 = i
          :: else -> loser = word; lost = i; word = best; i2 = at
#endif
          fi
        };
        d_step { if :: slot[lost] == loser -> slot[lost] = 0 :: else fi; loser = 0; lost = 0; best = 0; at = 0; i = i2; i2 = 0 }
      :: else -> d_step { compare() }
      fi
    :: !mixed
    fi;
    d_step {
#ifdef NO_CLEARING_OF_LOSERS /* rule 3 */
      if
      :: loser != 0 && ALIVE(loser) -> loser = 0
      :: else
      fi;
#endif
      if
      :: both && slot[i] == word -> slot[i] = 0
      :: else
      fi;
      if
      :: both || (loser != 0 && slot[lost] != loser) -> best = 0; at = 0; i = 0
      :: else ->
        if
        :: loser != 0 -> slot[lost] = 0
        :: else
        fi;
        i++
      fi;
      loser = 0; lost = 0; word = 0; both = false
    }
  :: d_step { i == WAYS -> i = 0 }; break
  od;
  skip
}

/* Where a key without a word goes: an empty slot or a dead one. There is no other key
 * here, so that a live word is one that came between: then {WAYS}, look again. */
inline choose() {
  d_step { best = 0; at = WAYS; i = 0 };
  do
  :: d_step { i < WAYS && slot[i] == 0 -> best = 0; at = i; i = 0 }; break
  :: d_step {
      i < WAYS && slot[i] != 0 ->
      if
      :: !ALIVE(slot[i]) -> best = slot[i]; at = i
      :: else
      fi;
      i++
    }
  :: d_step { i == WAYS -> i = 0 }; break
  od;
  skip
}

inline publish(mine) {
  published = false;
  do
  :: scan(true);
    if
    :: best != 0 ->
      both = UNDECIDABLE(mine, best);
      if
      :: both ->
        d_step {
          both = false;
          if
          :: slot[at] == best -> slot[at] = 0; ok = true
          :: else
          fi
        }
      :: !both && !BEATS(mine, best) -> ok = true
      :: else
      fi;
      if
      :: ok -> ok = false; break /* superseded */
      :: else
      fi
    :: else -> choose()
    fi;
    if
    :: d_step { at == WAYS || slot[at] != best -> best = 0; at = 0 }
    :: d_step {
        at < WAYS && slot[at] == best ->
        slot[at] = mine; published = true; token_slot = at; token_word = mine; best = 0; at = 0
      };
#ifndef NO_SCAN_AFTER /* rule 3 */
      do
      :: scan(true);
        if
        :: best == 0 || at == token_slot -> break
        :: else
        fi;
#ifdef NO_THIRD_LOOK
        d_step { if :: BEATS(best, mine) -> published = false :: else fi };
        break
#else
        /* The own word is gone. What beats it is newer; what does not, stands in its
         * place as an older version and must go before the put returns. */
        published = false;
        both = UNDECIDABLE(mine, best);
        if
        :: !both && BEATS(best, mine) -> break
        :: else ->
          d_step {
            both = false;
            if
            :: slot[at] == best -> slot[at] = 0; ok = true
            :: else
            fi
          };
          if
          :: ok -> ok = false; break
          :: else
          fi
        fi
#endif
      od;
#endif
      break
    fi
  od;
  skip;
  d_step { best = 0; at = 0 }
}

/* A tombstone in the place of what was to stand there; when the ring went round
 * meanwhile, a genuine word is newer, and of a copy nobody can tell. */
inline bury() {
  do
  :: ALIVE(position) -> publish(position | TOMB); break
  :: !ALIVE(position) ->
    scan(true);
    if
    :: best == 0 || !(best & MOVED) -> break
    :: else ->
      d_step {
        if
        :: slot[at] == best -> slot[at] = 0; ok = true
        :: else
        fi
      };
      if
      :: ok -> break
      :: else
      fi
    fi
  od;
  skip;
  d_step { best = 0; at = 0; ok = false }
}

/* ---- get --------------------------------------------------------------------------- */

inline get_from_ring() {
  do
  :: scan(false);
    if
    :: best == 0 || (best & TOMB) -> break
    :: else
    fi;
    d_step { h_position = head_position[PLACE(best)]; h_version = head_version[PLACE(best)] };
    b_version = body_version[PLACE(best)];
    if
    :: d_step {
        b_version != 0 && POSITION_FITS(h_position, best) && SUM_FITS(h_version, b_version) ->
        assert(b_version == ((best & MOVED) -> wrote[POSITION(best)] : POSITION(best)));
        got = b_version; token_slot = at; token_word = best
      };
#ifdef NO_SCAN_BEFORE_KEEPING
      kept = got;
#else
      /* Kept in memory only when a whole pass over the bucket confirms the word: a newer
       * put that publishes after it will see the word, and clear it. */
      scan(false);
      d_step {
        if
        :: best == token_word && at == token_slot -> kept = got
        :: else -> token_slot = 0; token_word = 0
        fi
      };
#endif
      break
    :: else ->
      if
      :: slot[at] != best || !ALIVE(best) -> /* the ring went round: once more */
        tries++;
        if
        :: tries == 2 -> break
        :: else
        fi
      :: else -> /* damaged */
        d_step {
          if
          :: slot[at] == best -> slot[at] = 0
          :: else
          fi
        };
        break
      fi
    fi
  od;
  skip;
  d_step { best = 0; at = 0; h_position = 0; h_version = 0; b_version = 0; tries = 0 }
}

inline get() {
  d_step { need = newest; got = 0 };
  if
  :: kept != 0 ->
#ifdef NO_TOKEN
    got = kept
#else
    if
    :: d_step { slot[token_slot] == token_word -> got = kept }
    :: d_step { slot[token_slot] != token_word -> kept = 0; token_slot = 0; token_word = 0 }
    fi
#endif
  :: else
  fi;
  if
  :: got == 0 -> get_from_ring()
  :: else
  fi;
  d_step {
    assert(got == 0 || got >= need); /* nothing older than what had returned */
    raise_newest(got);
    got = 0;
    need = 0
  }
}

#define LOCALS \
  byte seen, holds, position, best, at, i, i2, word, loser, lost, tries; \
  byte h_position, h_version, b_version, got, need; \
  byte kept, token_slot, token_word; /* the memory tier */ \
  bool ok, published, mixed, both

/* ---- processes ---------------------------------------------------------------------- */

inline remove() {
  reserve(false);
  if
  :: position == 0 -> skip /* says so: nothing is promised */
  :: else ->
#ifdef NO_TOMBSTONE /* rule 4: a remove that only clears what it sees */
    scan(true);
    d_step {
      if
      :: best != 0 && POSITION(best) < position && slot[at] == best -> slot[at] = 0
      :: else
      fi;
      best = 0; at = 0
    };
#else
#ifdef NO_TOMBSTONE_ON_EMPTY /* rule 4 */
    scan(true);
    if
    :: best != 0 -> publish(position | TOMB)
    :: else
    fi;
#else
    bury();
#endif
#endif
    d_step {
      kept = 0; token_slot = 0; token_word = 0; published = false;
      raise_newest(position);
      position = 0
    }
  fi
}

inline put() {
  reserve(false);
  if
  :: position == 0 -> skip
  :: else ->
    write_record(position);
    if
#ifdef NO_ALIVE_BEFORE_PUBLISH
    :: true ->
#else
    :: !ALIVE(position) -> /* a put that fails removes */
      bury();
      d_step {
        token_slot = 0; token_word = 0; published = false;
        raise_newest(position);
        position = 0
      }
    :: ALIVE(position) ->
#endif
      publish(position);
      d_step {
#ifdef WRITER_GETS
        if
        :: published -> kept = position
        :: else -> kept = 0; token_slot = 0; token_word = 0
        fi;
#else
        token_slot = 0;
        token_word = 0;
#endif
        raise_newest(position);
        position = 0;
        published = false
      }
    fi
  fi
}

proctype writer(byte me) {
  LOCALS;
#ifdef REMOVER
  if
  :: put()
  :: me == 1 -> remove()
  fi;
#else
  put();
#endif
  d_step { /* at most one live word when all writers are done */
    under_way--;
    assert(under_way != 0 || slot[0] == 0 || slot[1] == 0 || !ALIVE(slot[0]) || !ALIVE(slot[1]))
  };
#ifdef WRITER_GETS
  get();
#endif
  d_step { kept = 0; token_slot = 0; token_word = 0 }
}

proctype mover() {
  LOCALS;
  byte from, next;
  next = C_SEQ(cursor) + 1 - SEGMENTS; /* the segment that is recycled next */
  do
  :: d_step { tries < WAYS && (slot[tries] == 0 || (slot[tries] & TOMB) || SEQ(slot[tries]) != next) -> tries++ }
  :: d_step { tries < WAYS && slot[tries] != 0 && !(slot[tries] & TOMB) && SEQ(slot[tries]) == next ->
      from = slot[tries] };
    if
    :: ALIVE(from) ->
      d_step { h_position = head_position[PLACE(from)]; h_version = head_version[PLACE(from)] };
      b_version = body_version[PLACE(from)];
      if
      :: b_version != 0 && POSITION_FITS(h_position, from) && SUM_FITS(h_version, b_version) ->
#ifndef NO_SCAN_BEFORE_MOVE
        scan(true); /* a loser that a killed process left must not outlive the winner */
        ok = best == from && at == tries;
        d_step { best = 0; at = 0 };
#else
        ok = true;
#endif
        if
        :: d_step { ok -> ok = false }; reserve(true)
        :: d_step { !ok -> position = 0 }
        fi;
        if
        :: position != 0 ->
          wrote[position] = b_version;
          write_record(b_version);
          if
          :: ALIVE(position) ->
            d_step {
              if
              :: slot[tries] == from -> slot[tries] = position | MOVED
              :: else
              fi
            }
          :: !ALIVE(position)
          fi
        :: else
        fi
      :: else
      fi
    :: !ALIVE(from)
    fi;
    d_step { tries++; from = 0; h_position = 0; h_version = 0; b_version = 0; position = 0 }
  :: tries == WAYS -> break
  od;
  skip;
  d_step { tries = 0; next = 0; from = 0; h_position = 0; h_version = 0; b_version = 0; position = 0 }
}

proctype reader() {
  LOCALS;
  byte n;
  do
  :: n < GETS -> get(); n++
  :: else -> break
  od;
  skip;
  d_step { n = 0; kept = 0; token_slot = 0; token_word = 0 }
}

/* Others use up the ring: the rest of a segment at a time. */
proctype others() {
  byte seen, holds;
  bool ok;
  do
  :: C_SEQ(cursor) < LAST ->
    d_step { seen = CURSOR(C_SEQ(cursor), PLACES); cursor = seen };
    advance()
  :: C_SEQ(cursor) >= LAST -> break
  od
}

init {
  atomic {
    segment[FIRST % SEGMENTS] = FIRST;
    segment[(FIRST + 1) % SEGMENTS] = FIRST + 1;
    cursor = CURSOR(FIRST + 1, 0);
#ifndef EMPTY
    /* The first version stands at the start of the segment that goes next. */
    head_position[(FIRST * PLACES) % 4] = FIRST * PLACES;
    head_version[(FIRST * PLACES) % 4] = FIRST * PLACES;
    body_version[(FIRST * PLACES) % 4] = FIRST * PLACES;
    slot[0] = FIRST * PLACES;
    newest = FIRST * PLACES;
#endif
    under_way = WRITERS;
    run writer(0);
#if WRITERS > 1
    run writer(1);
#endif
#ifdef MOVER
    run mover();
#endif
#if READERS > 0
    run reader();
#endif
#if READERS > 1
    run reader();
#endif
#if ROUNDS > 0
    run others();
#endif
    skip
  }
}
