// The op table of one instruction set: op number -> function.
#include "../../common/op.h"

GUST_OPS_BEGIN
#define GUST_DECLARE(name) void name(const name##_args&, Context&);
GUST_FOR_EACH_OP(GUST_DECLARE)
#undef GUST_DECLARE
GUST_OPS_END

#define GUST_JOIN2(a, b) a##b
#define GUST_JOIN(a, b) GUST_JOIN2(a, b)

extern "C" __attribute__((visibility("hidden"))) const gust::OpFunction GUST_JOIN(gust_op_table_, GUST_ISA)[] = {
#define GUST_ENTRY(name)                               \
  [](const void* args, gust::Context& context) {       \
    gust::GUST_ISA::name(*static_cast<const gust::name##_args*>(args), context); \
  },
    GUST_FOR_EACH_OP(GUST_ENTRY)
#undef GUST_ENTRY
};
