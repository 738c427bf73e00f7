// Opening cuBLASLt at run time: the library is half a gigabyte, and commands that multiply nothing do not need it. In
// the emulation test/cu/emulate/cublaslt.cpp is the library.
#include "cublaslt.h"

#ifndef GUST_EMULATED

#include <dlfcn.h>

#include "../common/status.h"

namespace gust::cuda {
namespace {

/** Put the function of this name where it belongs. */
template <class F>
void resolve(void* library, const char* name, F& to) {
  void* symbol = dlsym(library, name);
  if (!symbol) fail(GUST_ENOSYS, "cuBLASLt has no function \"%s\", expected that of CUDA 12 or 13", name);
  to = reinterpret_cast<F>(symbol);
}

CublasLt open_cublaslt() {
  void* library = nullptr;
  for (const char* name : {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"})
    if ((library = dlopen(name, RTLD_NOW | RTLD_LOCAL))) break;
  if (!library)
    fail(GUST_ENOSYS,
         "dense products on a GPU need cuBLASLt: %s\n"
         "hint: pip install nvidia-cublas, or install CUDA, and put the folder of libcublasLt.so.13 on LD_LIBRARY_PATH",
         dlerror());
  CublasLt to{};
  resolve(library, "cublasLtCreate", to.create);
  resolve(library, "cublasLtGetStatusString", to.get_status_string);
  resolve(library, "cublasLtMatmulDescCreate", to.matmul_desc_create);
  resolve(library, "cublasLtMatmulDescDestroy", to.matmul_desc_destroy);
  resolve(library, "cublasLtMatmulDescSetAttribute", to.matmul_desc_set_attribute);
  resolve(library, "cublasLtMatrixLayoutCreate", to.matrix_layout_create);
  resolve(library, "cublasLtMatrixLayoutDestroy", to.matrix_layout_destroy);
  resolve(library, "cublasLtMatmulPreferenceCreate", to.preference_create);
  resolve(library, "cublasLtMatmulPreferenceDestroy", to.preference_destroy);
  resolve(library, "cublasLtMatmulPreferenceSetAttribute", to.preference_set_attribute);
  resolve(library, "cublasLtMatmulAlgoGetHeuristic", to.get_heuristic);
  resolve(library, "cublasLtMatmul", to.matmul);
  return to;
}

}  // namespace

const CublasLt& cublaslt() {
  static const CublasLt functions = open_cublaslt();
  return functions;
}

}  // namespace gust::cuda

#endif
