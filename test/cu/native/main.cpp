// Runs every native test (or those whose name holds the first argument) on every instruction set of the machine.
#include <cstdio>

#include "check.h"

using namespace gust::test;

int main(int argc, char** argv) {
  int passed = 0, failed = 0;
  for (const char* isa : {"portable", "avx2", "avx512"}) {
    if (gust_set_isa(isa) != GUST_OK) {
      std::printf("skipped %s: %s\n", isa, last_error().c_str());
      continue;
    }
    for (const Test& test : tests()) {
      if (argc > 1 && !std::strstr(test.name, argv[1])) continue;
      try {
        test.body();
        ++passed;
      } catch (const std::exception& error) {
        ++failed;
        std::printf("FAILED %s (%s): %s\n", test.name, isa, error.what());
      }
    }
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
