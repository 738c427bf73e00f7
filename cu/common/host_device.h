// Functions that run on both sides.
#pragma once

#ifdef __CUDACC__
#define GUST_HD __host__ __device__
#else
#define GUST_HD
#endif
