// A broken invariant is a bug of ours: say where and stop, in release builds too. Never for bytes
// that came from outside.
#pragma once

#include <cstdio>
#include <cstdlib>

#define KITH_CHECK(condition)                                                                  \
  do {                                                                                         \
    if (!(condition)) [[unlikely]] {                                                           \
      std::fprintf(stderr, "kith: %s:%d: check failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                            \
    }                                                                                          \
  } while (false)
