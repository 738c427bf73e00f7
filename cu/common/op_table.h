// An op as a function of its argument block.
#pragma once

namespace gust {
class Context;
using OpFunction = void (*)(const void* args, Context& context);
}  // namespace gust
