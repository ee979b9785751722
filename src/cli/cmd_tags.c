/* cmd_tags.c - nextcache tags: which tags entries carry, when they were marked, and the
 * last reasons that were given for it.
 */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "tag_sums.h"

typedef struct walk {
  const cli_selection *selection;
  const char *begins;
  cli_tag_sums sums;
} walk;

static int collect(void *arg, const nxc_seen *seen) {
  walk *w = arg;
  cli_progress("reading", seen->number, seen->count);
  if (cli_selects(w->selection, seen)) cli_tag_sums_add(&w->sums, seen, w->begins);
  return 1;
}

/* ---- output --------------------------------------------------------------------------- */

/* The later of a tag's two marks; --json has both. */
static void print_row(const cli_tag_sum *s, int64_t now) {
  int64_t mark = cli_tag_last_mark(s);
  const char *kind = !mark ? "-" : cli_tag_is_dead(s) ? "dead" : "stale";
  printf("%9s  %9s  %9s  %-5s  %8s  ", cli_count(s->entries).text, cli_count(s->hits).text,
         cli_bytes(s->bytes).text, kind, mark ? cli_duration(now - mark).text : "-");
  cli_put_text(stdout, (nxc_slice){s->tag, s->size});
  putchar('\n');
}

static void print_all(const cli_tag_sums *t, size_t limit, bool json) {
  json_t *array = json ? json_array() : NULL;
  int64_t now = cli_now_ms();
  if (!json) {
    printf("%s%9s  %9s  %9s  %-5s  %8s  %s%s\n", cli_style_of(CLI_BOLD), "entries", "would hit",
           "size", "mark", "ago", "tag", cli_style_of(CLI_RESET));
  }
  for (size_t i = 0; i < t->count && (!limit || i < limit); i++) {
    if (json) {
      json_array_append_new(array, cli_tag_json(&t->items[i]));
    } else {
      print_row(&t->items[i], now);
    }
  }
  if (json) {
    cli_put_json(array);
  } else {
    puts(cli_things(t->count, "tag", "tags").text);
  }
}

/* ---- reasons -------------------------------------------------------------------------- */

static void put_string(const json_t *text) {
  cli_put_text(stdout, (nxc_slice){json_string_value(text), json_string_length(text)});
}

static int print_reasons(size_t limit, bool json) {
  json_t *list = cli_reasons_read(limit), *record, *tag;
  size_t i, k;
  if (json) return cli_put_json(list);
  json_array_foreach(list, i, record) {
    int64_t ago = cli_now_ms() - json_integer_value(json_object_get(record, "time_ms"));
    printf("%8s ago  ", cli_duration(ago).text);
    put_string(json_object_get(record, "by"));
    printf(": ");
    put_string(json_object_get(record, "reason"));
    json_array_foreach(json_object_get(record, "tags"), k, tag) {
      printf("%s", k ? ", " : "  [");
      put_string(tag);
    }
    puts(k ? "]" : "");
  }
  puts(cli_things(json_array_size(list), "reason", "reasons").text);
  json_decref(list);
  return CLI_OK;
}

/* ---- the command ------------------------------------------------------------------------ */

int cli_cmd_tags(const cli_command *self, int argc, char **argv) {
  cli_selection selection = {.classes = 0};
  walk w = {.selection = &selection};
  const char *sort = "entries";
  bool json = false, reasons = false;
  uint64_t limit = 0;
  int code;
  nxc_view *view;
  const cli_option options[] = {
      {"class", CLI_CLASS, &selection.classes, "CLASS", "only tags of such entries"},
      {"begins", CLI_TEXT, &w.begins, "TEXT", "only tags that begin so"},
      {"sort", CLI_TEXT, &sort, "entries|name|mark",
       "entries: the most first; mark: the newest first"},
      {"limit", CLI_NUMBER, &limit, "N", "only the first N"},
      {"reasons", CLI_FLAG, &reasons, NULL, "instead: the last reasons given, the newest first"},
      {"json", CLI_FLAG, &json, NULL, "as JSON"},
      {0},
  };

  if (cli_parse(self, options, argc, argv, &code) < 0) return code;
  bool name = strcmp(sort, "name") == 0, mark = strcmp(sort, "mark") == 0;
  if (!name && !mark && strcmp(sort, "entries") != 0) {
    return cli_fail(CLI_USAGE, "tags: --sort is \"%s\"; it should be entries, name or mark", sort);
  }
  code = cli_view(&view);
  if (code != CLI_OK) return code;
  if (reasons) {
    nxc_view_close(view);
    return print_reasons((size_t)limit, json);
  }
  if (nxc_view_each(view, collect, &w) != NXC_OK) code = cli_fail(CLI_UNREADABLE, "out of memory");
  cli_progress_end();
  cli_tag_sums_merge(&w.sums, view);
  if (w.sums.count && !name) {
    qsort(w.sums.items, w.sums.count, sizeof *w.sums.items,
          mark ? cli_tag_by_mark : cli_tag_by_entries);
  }
  print_all(&w.sums, (size_t)limit, json);
  cli_tag_sums_release(&w.sums);
  nxc_view_close(view);
  return code;
}
