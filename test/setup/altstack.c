// No alternate signal stack: AddressSanitizer expects one that is aligned, which JavaScriptCore's is not, and looks at it
// whenever an exception is thrown.
#include <signal.h>
#include <string.h>

int sigaltstack(const stack_t* wanted, stack_t* before) {
  (void)wanted;
  if (before) {
    memset(before, 0, sizeof *before);
    before->ss_flags = SS_DISABLE;
  }
  return 0;
}
