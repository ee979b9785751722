/* consumer.c - a program of somebody else: the shortest use of each header. */
#include <nextcache.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef WITH_UV
#include <nextcache_uv.h>
#endif

int main(void) {
  nxc_options options;
  nxc_cache *cache = NULL;
  nxc_options_init(&options);
  if (nxc_open(&cache, &options) != NXC_OK) return 1;

  nxc_slice part = {"value", 5};
  nxc_record record = {.key = {"key", 3},
                       .revalidate_ms = NXC_NEVER,
                       .expire_ms = NXC_NEVER,
                       .parts = &part,
                       .part_count = 1};
  if (nxc_put(cache, &record) < 0) return 2;

  nxc_query query = {.key = {"key", 3}};
  nxc_found found;
  if (nxc_get(cache, &query, &found) != NXC_OK) return 3;
  nxc_slice value = nxc_entry_part(found.entry, 0);
  int differs = value.size != 5 || memcmp(value.data, "value", 5) != 0;
  nxc_entry_unref(found.entry);
  if (differs) return 4;

  char *json = nxc_stats_json(cache);
  if (!json) return 5;
  free(json);
#ifdef WITH_UV
  if (nxc_uv_clear(NULL, cache, NULL, NULL) != NXC_E_INVALID) return 6;
#endif
  nxc_close(cache);
  printf("nextcache %s\n", nxc_version());
  return 0;
}
