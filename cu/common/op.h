// What an op file includes. Each file under cu/host/ops defines `void <op>(const <op>_args&, Context&)` for its rows
// of ffi/ops.ts inside GUST_OPS_BEGIN / GUST_OPS_END. The files are compiled three times (portable, AVX2, AVX-512);
// GUST_ISA names the namespace of each build, and gust_run() picks one table at run time.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "context.h"
#include "dtype.h"
#include "op_table.h"
#include "parallel.h"
#include "ops.h"  // generated from ffi/ops.ts

#define GUST_OPS_BEGIN namespace gust { namespace GUST_ISA {
#define GUST_OPS_END } }
