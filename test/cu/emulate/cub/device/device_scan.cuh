// cub::DeviceScan as a plain loop.
#pragma once

#include "../../cuda_runtime.h"

namespace cub {

struct DeviceScan {
  template <class In, class Out, class Op, class Init>
  static cudaError_t ExclusiveScan(void* temporary, size_t& bytes, const In* in, Out* out, Op op, Init init, int64_t n,
                                   cudaStream_t stream) {
    if (!temporary) {
      bytes = 1;
      return cudaSuccess;
    }
    emulate::check_pointer(in);
    emulate::check_pointer(out);
    emulate::submit(stream, [=] {
      Init sum = init;
      for (int64_t i = 0; i < n; ++i) {
        const Init next = op(sum, static_cast<Init>(in[i]));
        out[i] = static_cast<Out>(sum);
        sum = next;
      }
    });
    return cudaSuccess;
  }
};

}  // namespace cub
