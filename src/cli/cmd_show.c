/* cmd_show.c - nextcache show: one entry, and why it would be a miss now.
 *
 * The entry is named by its key, by its id, or by the part of the key that `ls` shows,
 * when just one entry has that.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"

#define ID_DIGITS 12

typedef struct search {
  nxc_slice wanted;
  uint64_t id; /* 0: the text is none */
  nxc_seen found;
  size_t count;
} search;

static bool same(nxc_slice a, nxc_slice b) {
  return a.size == b.size && (!a.size || memcmp(a.data, b.data, a.size) == 0);
}

static int compare(void *arg, const nxc_seen *seen) {
  search *s = arg;
  nxc_record r;
  cli_progress("searching", seen->number, seen->count);
  if (!seen->entry) return 1;
  nxc_entry_read(seen->entry, &r);
  nxc_slice name = cli_name_of(r.class_id, r.key);
  bool hit = same(name, s->wanted) || same(cli_shown_name(r.class_id, name), s->wanted) ||
             (s->id && s->id == seen->id >> 16);
  if (!hit) return 1;
  /* One is kept whatever else is found: how many there are decides afterwards. */
  if (s->count++) nxc_entry_unref(s->found.entry);
  s->found = *seen;
  nxc_entry_ref(s->found.entry);
  return 1;
}

/* No path looks so: it begins with a slash. */
static uint64_t id_of(const char *text) {
  if (strlen(text) != ID_DIGITS || strspn(text, "0123456789abcdef") != ID_DIGITS) return 0;
  return strtoull(text, NULL, 16);
}

/* CLI_OK with a reference in *out, or an exit code that was told. */
static int find(nxc_view *view, const char *text, nxc_seen *out) {
  search s = {.wanted = {text, strlen(text)}, .id = id_of(text)};
  /* A whole key is found at once; names and ids need a walk over all entries. */
  nxc_view_find(view, s.wanted, out);
  if (out->entry) return CLI_OK;
  if (out->result == NXC_E_FORMAT) {
    return cli_fail(CLI_PROBLEM, "the entry is damaged; a look-up would be a miss");
  }
  int rc = nxc_view_each(view, compare, &s);
  cli_progress_end();
  if (rc != NXC_OK) return cli_fail(CLI_UNREADABLE, "out of memory");
  *out = s.found;
  if (s.count == 1) return CLI_OK;
  if (s.count) nxc_entry_unref(s.found.entry);
  if (!s.count) return cli_fail(CLI_ABSENT, "there is no entry \"%s\"; see nextcache ls", text);
  return cli_fail(CLI_PROBLEM,
                  "%zu entries are called \"%s\"; nextcache ls --prefix tells their ids", s.count,
                  text);
}

/* ---- text ---------------------------------------------------------------------------- */

static void field(const char *name) {
  printf("%s%-11s%s ", cli_style_of(CLI_DIM), name, cli_style_of(CLI_RESET));
}

static void print_time(const char *name, int64_t ms, int64_t now) {
  char text[64];
  time_t seconds = (time_t)(ms / 1000);
  struct tm tm;
  field(name);
  if (ms == NXC_NEVER || !localtime_r(&seconds, &tm)) {
    puts("never");
    return;
  }
  strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
  printf("%s (%s%s%s)\n", text, ms > now ? "in " : "",
         cli_duration(ms > now ? ms - now : now - ms).text, ms > now ? "" : " ago");
}

static void print_tags(const nxc_view *view, const nxc_seen *seen, size_t count, int64_t now) {
  for (size_t i = 0; i < count; i++) {
    nxc_slice tag = nxc_entry_tag(seen->entry, i);
    nxc_tag_marks m;
    field(i ? "" : "tags");
    cli_put_text(stdout, tag);
    if (nxc_view_tag(view, tag, &m) == NXC_OK) {
      int64_t last = m.dead_ms > m.stale_ms ? m.dead_ms : m.stale_ms;
      printf("  %smarked %s %s ago%s", cli_style_of(CLI_DIM),
             m.dead_ms >= m.stale_ms ? "dead" : "stale", cli_duration(now - last).text,
             cli_style_of(CLI_RESET));
    }
    putchar('\n');
  }
}

static int print_entry(const nxc_view *view, const nxc_seen *seen) {
  nxc_record r;
  int64_t now = cli_now_ms();
  nxc_entry_read(seen->entry, &r);
  field("key");
  cli_put_text(stdout, r.key);
  putchar('\n');
  field("id");
  printf("%012" PRIx64 "\n", seen->id >> 16);
  field("class");
  puts(cli_class_name(r.class_id));
  char *why = cli_why(seen);
  field("state");
  printf("%s: ", cli_state(seen));
  cli_put_text(stdout, (nxc_slice){why, strlen(why)});
  putchar('\n');
  free(why);
  print_time("created", r.created_ms, now);
  field("revalidate");
  printf("%s\n", cli_duration(r.revalidate_ms).text);
  field("expire");
  printf("%s\n", cli_duration(r.expire_ms).text);
  print_time("dead at", seen->dead_at_ms, now);
  field("size");
  printf("%s on disk, read since it was written: %s\n", cli_bytes(seen->disk_bytes).text,
         seen->used ? "yes" : "no");
  for (size_t i = 0; i < r.part_count; i++) {
    field(i ? "" : "parts");
    printf("%zu: %s\n", i, cli_bytes(nxc_entry_part(seen->entry, i).size).text);
  }
  print_tags(view, seen, r.tag_count, now);
  return CLI_OK;
}

/* ---- JSON ----------------------------------------------------------------------------- */

static json_t *tags_json(const nxc_view *view, const nxc_seen *seen, size_t count) {
  json_t *array = json_array();
  for (size_t i = 0; i < count; i++) {
    nxc_slice tag = nxc_entry_tag(seen->entry, i);
    nxc_tag_marks m;
    nxc_view_tag(view, tag, &m);
    json_array_append_new(array,
                          json_pack("{s:o, s:I, s:I, s:I}", "tag", cli_json_text(tag), "dead_ms",
                                    (json_int_t)m.dead_ms, "stale_ms", (json_int_t)m.stale_ms,
                                    "deadline_ms", (json_int_t)m.deadline_ms));
  }
  return array;
}

static json_t *duration_json(int64_t ms) {
  return ms == NXC_NEVER ? json_null() : json_integer((json_int_t)ms);
}

static int json_entry(const nxc_view *view, const nxc_seen *seen) {
  nxc_record r;
  char id[16];
  nxc_entry_read(seen->entry, &r);
  json_t *parts = json_array();
  for (size_t i = 0; i < r.part_count; i++) {
    json_array_append_new(parts, json_integer((json_int_t)nxc_entry_part(seen->entry, i).size));
  }
  snprintf(id, sizeof id, "%012" PRIx64, seen->id >> 16);
  char *why = cli_why(seen);
  json_t *object = json_pack(
      "{s:o, s:s, s:s, s:s, s:o, s:I, s:o, s:o, s:o, s:I, s:b, s:o, s:o}", "key",
      cli_json_text(r.key), "id", id, "class", cli_class_name(r.class_id), "state", cli_state(seen),
      "why", cli_json_text((nxc_slice){why, strlen(why)}), "created_ms", (json_int_t)r.created_ms,
      "revalidate_ms", duration_json(r.revalidate_ms), "expire_ms", duration_json(r.expire_ms),
      "dead_at_ms", duration_json(seen->dead_at_ms), "bytes", (json_int_t)seen->disk_bytes, "used",
      seen->used, "parts", parts, "tags", tags_json(view, seen, r.tag_count));
  free(why);
  return cli_put_json(object);
}

/* ---- the command ------------------------------------------------------------------------ */

/* As it is into a file or a pipe, harmless on a terminal. */
static int print_part(const nxc_seen *seen, uint64_t part) {
  nxc_record r;
  nxc_entry_read(seen->entry, &r);
  if (part >= r.part_count) {
    return cli_fail(CLI_ABSENT, "the entry has no part %" PRIu64 "; it has %zu", part,
                    r.part_count);
  }
  nxc_slice bytes = nxc_entry_part(seen->entry, (size_t)part);
  if (!isatty(1)) {
    fwrite(bytes.data, 1, bytes.size, stdout);
    return CLI_OK;
  }
  cli_put_text(stdout, bytes);
  putchar('\n');
  return CLI_OK;
}

int cli_cmd_show(const cli_command *self, int argc, char **argv) {
  bool json = false, body = false;
  uint64_t part = 0;
  int code;
  nxc_view *view;
  nxc_seen seen;
  const cli_option options[] = {
      {"body", CLI_FLAG, &body, NULL, "print a part, as it is, instead"},
      {"part", CLI_NUMBER, &part, "N", "which (0)"},
      {"json", CLI_FLAG, &json, NULL, "as JSON"},
      {0},
  };

  int n = cli_parse(self, options, argc, argv, &code);
  if (n < 0) return code;
  if (n != 1) return cli_fail(CLI_USAGE, "show: one key is needed; see nextcache ls");
  code = cli_view(&view);
  if (code != CLI_OK) return code;
  code = find(view, argv[0], &seen);
  if (code == CLI_OK) {
    code = body   ? print_part(&seen, part)
           : json ? json_entry(view, &seen)
                  : print_entry(view, &seen);
    nxc_entry_unref(seen.entry);
  }
  nxc_view_close(view);
  return code;
}
