// What follows the rows of a product, for the products that do it while these are in the cache.
#pragma once

#include <functional>

#include "../../common/op.h"

GUST_OPS_BEGIN

/** What comes after rows begin .. end-1; empty: nothing. Called once per task, so not a type of its own. */
using Ending = std::function<void(int64_t begin, int64_t end)>;

GUST_OPS_END
