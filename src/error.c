/* error.c - the texts of results, and the version. */
#include "nextcache.h"

#define NXC__STRING_(x) #x
#define NXC__STRING(x) NXC__STRING_(x)

const char *nxc_strerror(int result) {
  switch (result) {
#define NXC__X(name, value, text) \
  case (value): return (text);
    NXC_RESULTS(NXC__X)
#undef NXC__X
  default: return "unknown result";
  }
}

const char *nxc_version(void) {
  return NXC__STRING(NXC_VERSION_MAJOR) "." NXC__STRING(NXC_VERSION_MINOR) "." NXC__STRING(
      NXC_VERSION_PATCH);
}
