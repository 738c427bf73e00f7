// One file of loops for every instruction set: define GUST_LOOPS as the name of a header and `struct Loops` of what it
// gives, then include this. The header is read once per set, inside a namespace and under its target, with
// GUST_LOOP_BYTES = bytes of a vector, and ends with `constexpr Loops loops{...}`. loops() is that of the set in use.

#define GUST_LOOP_BYTES 16
namespace portable {
#include GUST_LOOPS
}
#undef GUST_LOOP_BYTES

#pragma GCC push_options
#pragma GCC target("avx2,fma")
#define GUST_LOOP_BYTES 32
namespace avx2 {
#include GUST_LOOPS
}
#undef GUST_LOOP_BYTES
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#define GUST_LOOP_BYTES 64
namespace avx512 {
#include GUST_LOOPS
}
#undef GUST_LOOP_BYTES
#pragma GCC pop_options

static const Loops& loops() {
  switch (gust::current_isa()) {
    case gust::Isa::kAvx512: return avx512::loops;
    case gust::Isa::kAvx2: return avx2::loops;
    case gust::Isa::kPortable: break;
  }
  return portable::loops;
}
