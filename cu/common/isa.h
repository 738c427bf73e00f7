// The instruction sets that op files are compiled for.
#pragma once

namespace gust {
enum class Isa { kPortable = 0, kAvx2 = 1, kAvx512 = 2 };
/** The best one this machine runs, or what gust_set_isa() forced. */
Isa current_isa();
}  // namespace gust
