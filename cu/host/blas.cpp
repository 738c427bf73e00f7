// Opening OpenBLAS at run time: commands that multiply nothing do not pay its start (about 10 ms).
#include "../common/blas.h"

#include <dlfcn.h>

#include <cstdlib>

#include "../common/status.h"

namespace gust {
namespace {

constexpr const char* kLibrary = "libopenblas.so.0";

template <class F>
F resolve(void* library, const char* name) {
  void* symbol = dlsym(library, name);
  if (!symbol) fail(GUST_ENOSYS, "%s has no function \"%s\", expected OpenBLAS 0.3 or newer", kLibrary, name);
  return reinterpret_cast<F>(symbol);
}

Blas open_blas() {
  // Read by OpenBLAS while it loads: without it, it starts a thread per core that nobody uses.
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    fail(GUST_ENOSYS, "dense products need OpenBLAS: %s\nhint: apt-get install -y libopenblas0-pthread", dlerror());
  resolve<void (*)(int)>(library, "openblas_set_num_threads")(1);
  return {resolve<Blas::Gemm<float>>(library, "cblas_sgemm"), resolve<Blas::Gemm<double>>(library, "cblas_dgemm")};
}

}  // namespace

const Blas& blas() {
  static const Blas functions = open_blas();
  return functions;
}

}  // namespace gust
