// cuBLASLt for the emulation: the functions that cu/device/cublaslt.h declares, as plain loops. What the real library
// would refuse or read wrongly (matrices that do not fit, workspace that was not asked for, less alignment than was
// promised) ends the process with a message.
#include "../../../cu/device/cublaslt.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace gust::cuda {

struct OpaqueHandle {};
struct OpaqueMatmulDesc {
  int32_t compute, scale, trans_a = CublasLt::kPlain, trans_b = CublasLt::kPlain;
};
struct OpaqueMatrixLayout {
  int32_t type;
  int64_t rows, cols, ld;
};
struct OpaquePreference {
  uint64_t workspace = 0;
  uint32_t alignment[4] = {256, 256, 256, 256};
};

namespace {

using Lt = CublasLt;
using Layout = OpaqueMatrixLayout;

// What an algorithm remembers: who made it, the inner extent, its workspace and the alignments that it relies on.
constexpr uint64_t kMade = 0x6c617374;
enum { kMaker, kInner, kBytes, kAlignments };
/** Long sums take some workspace, as those do that the library splits. */
constexpr int64_t kLong = 1000, kLongBytes = 4096;

int64_t extent(const Layout& layout, int32_t trans, bool of_rows) {
  return (trans == Lt::kTransposed) == of_rows ? layout.cols : layout.rows;
}

/** The inner extent, or -1 where the matrices do not fit. */
int64_t inner(const OpaqueMatmulDesc& desc, const Layout& a, const Layout& b, const Layout& c, const Layout& d) {
  const int32_t type = desc.scale, wanted = type == Lt::kF64 ? Lt::kCompute64 : Lt::kCompute32;
  if (desc.compute != wanted && !(type == Lt::kF32 && desc.compute == Lt::kComputeTf32)) return -1;
  for (const Layout* layout : {&a, &b, &c, &d})
    if (layout->type != type || layout->rows < 1 || layout->cols < 1 || layout->ld < layout->rows) return -1;
  const int64_t k = extent(a, desc.trans_a, false);
  const bool fits = extent(a, desc.trans_a, true) == d.rows && extent(b, desc.trans_b, true) == k &&
                    extent(b, desc.trans_b, false) == d.cols && c.rows == d.rows && c.cols == d.cols;
  return fits ? k : -1;
}

/** sums[i] += column[i] * factor. */
template <class T>
__attribute__((optimize("O3"))) void add(const T* column, T factor, T* sums, int64_t n) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) sums[i] += column[i] * factor;
}

template <class T>
void multiply(const OpaqueMatmulDesc& desc, T alpha, const T* a, const Layout& la, const T* b, const Layout& lb, T beta,
              const T* c, const Layout& lc, T* d, const Layout& ld, int64_t k) {
  const int64_t m = ld.rows, stride = desc.trans_a == Lt::kTransposed ? m : la.ld;
  std::vector<T> turned, sums(static_cast<size_t>(m));
  if (desc.trans_a == Lt::kTransposed) {
    turned.resize(static_cast<size_t>(m * k));
    for (int64_t i = 0; i < m; ++i)
      for (int64_t l = 0; l < k; ++l) turned[static_cast<size_t>(i + l * m)] = a[l + i * la.ld];
    a = turned.data();
  }
  for (int64_t j = 0; j < ld.cols; ++j) {
    std::fill(sums.begin(), sums.end(), T{0});
    for (int64_t l = 0; l < k; ++l)
      add(a + l * stride, desc.trans_b == Lt::kTransposed ? b[j + l * lb.ld] : b[l + j * lb.ld], sums.data(), m);
    for (int64_t i = 0; i < m; ++i) {
      const T product = alpha * sums[static_cast<size_t>(i)];
      d[i + j * ld.ld] = beta == 0 ? product : product + beta * c[i + j * lc.ld];
    }
  }
}

int32_t create(Lt::Handle* handle) {
  *handle = new OpaqueHandle;
  return Lt::kSuccess;
}
const char* get_status_string(int32_t status) {
  return status == Lt::kInvalidValue ? "CUBLAS_STATUS_INVALID_VALUE" : "CUBLAS_STATUS_NOT_SUPPORTED";
}
int32_t matmul_desc_create(Lt::MatmulDesc* desc, int32_t compute, int32_t scale) {
  *desc = new OpaqueMatmulDesc{compute, scale};
  return Lt::kSuccess;
}
int32_t matmul_desc_destroy(Lt::MatmulDesc desc) {
  delete desc;
  return Lt::kSuccess;
}
int32_t matmul_desc_set_attribute(Lt::MatmulDesc desc, int32_t attribute, const void* value, size_t size) {
  if (size != sizeof(int32_t) || (attribute != Lt::kTransA && attribute != Lt::kTransB)) return Lt::kInvalidValue;
  std::memcpy(attribute == Lt::kTransA ? &desc->trans_a : &desc->trans_b, value, size);
  return Lt::kSuccess;
}
int32_t matrix_layout_create(Lt::MatrixLayout* layout, int32_t type, uint64_t rows, uint64_t cols, int64_t ld) {
  *layout = new OpaqueMatrixLayout{type, static_cast<int64_t>(rows), static_cast<int64_t>(cols), ld};
  return Lt::kSuccess;
}
int32_t matrix_layout_destroy(Lt::MatrixLayout layout) {
  delete layout;
  return Lt::kSuccess;
}
int32_t preference_create(Lt::Preference* preference) {
  *preference = new OpaquePreference;
  return Lt::kSuccess;
}
int32_t preference_destroy(Lt::Preference preference) {
  delete preference;
  return Lt::kSuccess;
}
int32_t preference_set_attribute(Lt::Preference preference, int32_t attribute, const void* value, size_t size) {
  const bool is_workspace = attribute == Lt::kMaxWorkspace;
  if (!is_workspace && (attribute < Lt::kAlignmentA || attribute > Lt::kAlignmentD)) return Lt::kInvalidValue;
  if (size != (is_workspace ? sizeof(uint64_t) : sizeof(uint32_t))) return Lt::kInvalidValue;
  if (is_workspace) std::memcpy(&preference->workspace, value, size);
  else std::memcpy(&preference->alignment[attribute - Lt::kAlignmentA], value, size);
  return Lt::kSuccess;
}

int32_t get_heuristic(Lt::Handle handle, Lt::MatmulDesc desc, Lt::MatrixLayout a, Lt::MatrixLayout b,
                      Lt::MatrixLayout c, Lt::MatrixLayout d, Lt::Preference preference, int wanted,
                      Lt::Heuristic* results, int* found) {
  const int64_t k = inner(*desc, *a, *b, *c, *d);
  if (!handle || wanted < 1 || k < 0) return Lt::kInvalidValue;
  *results = {};
  auto& data = results->algorithm.data;
  data[kMaker] = kMade;
  data[kInner] = static_cast<uint64_t>(k);
  data[kBytes] = k < kLong ? 0 : std::min<uint64_t>(kLongBytes, preference->workspace);
  for (int i = 0; i < 4; ++i) data[kAlignments + i] = preference->alignment[i];
  results->workspace = data[kBytes];
  *found = 1;
  return Lt::kSuccess;
}

int32_t matmul(Lt::Handle handle, Lt::MatmulDesc desc, const void* alpha, const void* a, Lt::MatrixLayout a_layout,
               const void* b, Lt::MatrixLayout b_layout, const void* beta, const void* c, Lt::MatrixLayout c_layout,
               void* d, Lt::MatrixLayout d_layout, const Lt::Algorithm* algorithm, void* workspace, size_t size,
               cudaStream_t stream) {
  const OpaqueMatmulDesc of = *desc;
  const Layout la = *a_layout, lb = *b_layout, lc = *c_layout, ld = *d_layout;
  const int64_t k = inner(of, la, lb, lc, ld);
  if (!handle || k < 0) return Lt::kInvalidValue;
  const auto& data = algorithm->data;
  if (data[kMaker] != kMade || data[kInner] != static_cast<uint64_t>(k))
    emulate::die("an algorithm of another product");
  if (size < data[kBytes] || (size > 0 && !workspace)) emulate::die("a product without its workspace");
  const void* places[] = {a, b, c, d};
  for (int i = 0; i < 4; ++i) {
    if (reinterpret_cast<uintptr_t>(places[i]) % data[kAlignments + i] != 0)
      emulate::die("a matrix that is not aligned to %d bytes", static_cast<int>(data[kAlignments + i]));
    emulate::check_pointer(places[i]);
  }
  emulate::check_pointer(workspace);
  auto run = [=](auto one) {
    using T = decltype(one);
    const T scale = *static_cast<const T*>(alpha), keep = *static_cast<const T*>(beta);
    emulate::submit(stream, [=] {
      if (size > 0) std::memset(workspace, 0xa5, size);
      multiply<T>(of, scale, static_cast<const T*>(a), la, static_cast<const T*>(b), lb, keep,
                  static_cast<const T*>(c), lc, static_cast<T*>(d), ld, k);
    });
  };
  if (of.scale == Lt::kF64) run(double{});
  else run(float{});
  return Lt::kSuccess;
}

}  // namespace

const CublasLt& cublaslt() {
  static const CublasLt functions{
      create,
      get_status_string,
      matmul_desc_create,
      matmul_desc_destroy,
      matmul_desc_set_attribute,
      matrix_layout_create,
      matrix_layout_destroy,
      preference_create,
      preference_destroy,
      preference_set_attribute,
      get_heuristic,
      matmul,
  };
  return functions;
}

}  // namespace gust::cuda
