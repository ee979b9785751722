/* token.c - whether somebody knows the token: a file of its own, because the test of
 * its time (tests/cli/token_time.c) is about this function alone.
 */
#include <string.h>

#include "http.h"

/* Looks at every byte of the wanted token whatever was given, so that the time says
 * nothing about how much of a guess was right. */
bool cli_same_token(const char *given, const char *wanted) {
  size_t n = strlen(wanted), m = strlen(given);
  unsigned char differs = n != m;
  for (size_t i = 0; i < n; i++) differs |= (unsigned char)(given[i < m ? i : m] ^ wanted[i]);
  return !differs;
}
