/* select.c - which entries a command is about.
 *
 * Options of one kind widen a selection, options of different kinds narrow it: --class a --class b
 * --tag t means (a or b) and t.
 */
#include <string.h>

#include "cli.h"

static bool begins(nxc_slice text, const char *prefix) {
  size_t n = strlen(prefix);
  return text.size >= n && memcmp(text.data ? text.data : "", prefix, n) == 0;
}

static bool has_tag(const nxc_entry *entry, size_t count, const char *tag) {
  size_t n = strlen(tag);
  for (size_t i = 0; i < count; i++) {
    nxc_slice t = nxc_entry_tag(entry, i);
    if (t.size == n && memcmp(t.data ? t.data : "", tag, n) == 0) return true;
  }
  return false;
}

static bool has_any_tag(const nxc_entry *entry, size_t count, const cli_list *tags) {
  for (size_t i = 0; i < tags->count; i++) {
    if (has_tag(entry, count, tags->items[i])) return true;
  }
  return tags->count == 0;
}

bool cli_selects(const cli_selection *s, const nxc_seen *seen) {
  nxc_record r;
  bool narrow = s->classes || s->tags.count || s->prefix;
  if (s->stale && seen->result == NXC_OK) return false;
  /* Of what is damaged neither class nor tags nor key are known. */
  if (!seen->entry) return !narrow;
  nxc_entry_read(seen->entry, &r);
  unsigned class_id = r.class_id < CLI_CLASSES ? r.class_id : 0;
  if (s->classes && !(s->classes & (1u << class_id))) return false;
  if (!has_any_tag(seen->entry, r.tag_count, &s->tags)) return false;
  return !s->prefix || begins(r.key, s->prefix) || begins(cli_name_of(class_id, r.key), s->prefix);
}
