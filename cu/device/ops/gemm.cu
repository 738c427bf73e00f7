// out = alpha * op(a) @ op(b) + beta * out, op(a) m x k, op(b) k x n, all row-major; out = epilogue(out).
//
// Products are cuBLASLt's, which is column-major: out^T = op(b)^T @ op(a)^T, and a row-major matrix is its transpose
// there. float32 is multiplied as float32 (or as is_fast() says), float64 as float64. A second product is added by the
// library as well (beta = 1); what follows in a layer (epilogue.h) is a pass of its own, left out where it changes
// nothing.
//
// Which algorithm a product takes is asked for once per shape and kept, so that a call is a look-up and a launch;
// nothing is allocated or waited for after that, so it can be captured. Many rows are cut into slabs of 2^20, whatever
// version of the library has the extents of its grids as a limit. Determinism: the library gives the same bits for the
// same shapes on the same GPU.
#include <map>
#include <mutex>

#include "../cublaslt.h"
#include "epilogue.h"

GUST_OPS_BEGIN
namespace {

constexpr size_t kWorkspace = size_t{32} << 20;
constexpr int64_t kSlab = int64_t{1} << 20;  // rows of out at once
constexpr size_t kMostPlans = 1024;          // sampled batches are of ever new shapes

/** A row-major matrix and whether it is multiplied as its transpose. */
template <class T>
struct Factor {
  const T* data;
  int64_t rows, cols;
  bool transposed;
};

/** What the choice of an algorithm depends on. */
struct Key {
  int64_t m, n, k, a_cols, b_cols;
  bool trans_a, trans_b;
  int32_t type, compute;
  uint32_t align_a, align_b, align_out;
  auto operator<=>(const Key&) const = default;
};

struct Plan {
  CublasLt::MatmulDesc desc = nullptr;
  CublasLt::MatrixLayout a = nullptr, b = nullptr, out = nullptr;
  CublasLt::Algorithm algorithm{};
  size_t workspace = 0;
};

void check_product(int32_t status, const char* what, const Key& key) {
  if (status == CublasLt::kSuccess) return;
  fail(GUST_EFAIL, "%s a product of %lld x %lld by %lld x %lld failed in cuBLASLt: %s", what,
       static_cast<long long>(key.m), static_cast<long long>(key.k), static_cast<long long>(key.k),
       static_cast<long long>(key.n), cublaslt().get_status_string(status));
}

/** The largest power of two that divides an address, at most that of tensors in arenas. */
uint32_t alignment(const void* data) {
  const auto address = reinterpret_cast<uintptr_t>(data) | 64;
  return static_cast<uint32_t>(address & (~address + 1));
}

class Products {
 public:
  template <class T>
  void run(const Factor<T>& a, const Factor<T>& b, T* out, const Key& key, T alpha, T beta) {
    const std::lock_guard<std::mutex> hold(lock_);
    const CublasLt& library = cublaslt();
    const Plan& plan = plan_of(key);
    char*& workspace = workspaces_[device::queue()];
    if (plan.workspace > 0 && !workspace) workspace = device::allocate(kWorkspace, false);
    check_product(library.matmul(handle_, plan.desc, &alpha, b.data, plan.b, a.data, plan.a, &beta, out, plan.out, out,
                                 plan.out, &plan.algorithm, workspace, plan.workspace, stream()),
                  "running", key);
  }

 private:
  const Plan& plan_of(const Key& key) {
    const auto known = plans_.find(key);
    if (known != plans_.end()) return known->second;
    if (plans_.size() >= kMostPlans) {
      for (auto& [key_of, plan] : plans_) drop(plan);
      plans_.clear();
    }
    if (!handle_) check_product(cublaslt().create(&handle_), "preparing", key);
    Plan plan;
    try {
      fill(plan, key);
    } catch (...) {
      drop(plan);
      throw;
    }
    return plans_.emplace(key, plan).first->second;
  }

  void fill(Plan& plan, const Key& key) const {
    const CublasLt& library = cublaslt();
    auto made = [&](int32_t status) { check_product(status, "preparing", key); };
    const int32_t first = key.trans_b ? CublasLt::kTransposed : CublasLt::kPlain;
    const int32_t second = key.trans_a ? CublasLt::kTransposed : CublasLt::kPlain;
    made(library.matmul_desc_create(&plan.desc, key.compute, key.type));
    made(library.matmul_desc_set_attribute(plan.desc, CublasLt::kTransA, &first, sizeof first));
    made(library.matmul_desc_set_attribute(plan.desc, CublasLt::kTransB, &second, sizeof second));
    auto layout = [&](CublasLt::MatrixLayout& to, int64_t rows, int64_t cols, int64_t stride) {
      const auto height = static_cast<uint64_t>(cols), width = static_cast<uint64_t>(rows);
      made(library.matrix_layout_create(&to, key.type, height, width, stride));
    };
    layout(plan.b, key.trans_b ? key.n : key.k, key.trans_b ? key.k : key.n, key.b_cols);
    layout(plan.a, key.trans_a ? key.k : key.m, key.trans_a ? key.m : key.k, key.a_cols);
    layout(plan.out, key.m, key.n, key.n);

    CublasLt::Preference preference = nullptr;
    made(library.preference_create(&preference));
    const auto prefer = [&](int32_t attribute, auto value) {
      return library.preference_set_attribute(preference, attribute, &value, sizeof value);
    };
    CublasLt::Heuristic best{};
    int found = 0;
    int32_t status = CublasLt::kSuccess;
    for (int32_t next :
         {prefer(CublasLt::kMaxWorkspace, uint64_t{kWorkspace}), prefer(CublasLt::kAlignmentA, key.align_b),
          prefer(CublasLt::kAlignmentB, key.align_a), prefer(CublasLt::kAlignmentC, key.align_out),
          prefer(CublasLt::kAlignmentD, key.align_out)})
      if (status == CublasLt::kSuccess) status = next;
    if (status == CublasLt::kSuccess)
      status = library.get_heuristic(handle_, plan.desc, plan.b, plan.a, plan.out, plan.out, preference, 1, &best,
                                     &found);
    library.preference_destroy(preference);
    made(status != CublasLt::kSuccess ? status : found > 0 ? best.state : CublasLt::kNotSupported);
    plan.algorithm = best.algorithm;
    plan.workspace = best.workspace;
  }

  static void drop(Plan& plan) {
    const CublasLt& library = cublaslt();
    for (CublasLt::MatrixLayout layout : {plan.a, plan.b, plan.out})
      if (layout) library.matrix_layout_destroy(layout);
    if (plan.desc) library.matmul_desc_destroy(plan.desc);
  }

  std::mutex lock_;
  CublasLt::Handle handle_ = nullptr;
  char* workspaces_[device::kQueues] = {};  // products of one queue follow each other
  std::map<Key, Plan> plans_;
};

Products& products() {
  static auto* all = new Products;  // the GPU may be gone when the process ends: never destroyed
  return *all;
}

template <class T>
struct ScaleInPlace {
  T* out;
  T beta;
  __device__ void operator()(int64_t i) const { out[i] = beta == 0 ? T{0} : beta * out[i]; }
};

/** out = alpha * op(a) @ op(b) + beta * out, m, n > 0; beta = 0 does not read out. */
template <class T>
void multiply(const Factor<T>& a, const Factor<T>& b, T* out, int64_t m, int64_t n, T alpha, T beta) {
  const int64_t k = a.transposed ? a.rows : a.cols;
  if (k == 0 || alpha == 0) {
    if (beta != 1) each(m * n, ScaleInPlace<T>{out, beta});
    return;
  }
  const bool is_double = sizeof(T) == 8;
  for (int64_t i = 0; i < m; i += kSlab) {
    Factor<T> slab = a;
    slab.data += a.transposed ? i : i * a.cols;
    T* to = out + i * n;
    const Key key{std::min(kSlab, m - i), n, k, a.cols, b.cols, a.transposed, b.transposed,
                  is_double ? CublasLt::kF64 : CublasLt::kF32,
                  is_double ? CublasLt::kCompute64 : is_fast() ? CublasLt::kComputeTf32 : CublasLt::kCompute32,
                  alignment(slab.data), alignment(b.data), alignment(to)};
    products().run(slab, b, to, key, alpha, beta);
  }
}

/** a and b of a call, if they fit out. */
template <class T>
std::pair<Factor<T>, Factor<T>> factors(const Slot& a, const Slot& b, bool trans_a, bool trans_b, const Slot& out) {
  const int64_t k = trans_a ? a.rows : a.cols, a_rows = trans_a ? a.cols : a.rows;
  const int64_t b_rows = trans_b ? b.cols : b.rows, b_cols = trans_b ? b.rows : b.cols;
  if (a_rows != out.rows || b_cols != out.cols || b_rows != k)
    fail(GUST_EINVAL, "%lld x %lld times %lld x %lld into %lld x %lld", static_cast<long long>(a_rows),
         static_cast<long long>(k), static_cast<long long>(b_rows), static_cast<long long>(b_cols),
         static_cast<long long>(out.rows), static_cast<long long>(out.cols));
  return {Factor<T>{a.as<T>(), a.rows, a.cols, trans_a}, Factor<T>{b.as<T>(), b.rows, b.cols, trans_b}};
}

}  // namespace

void gemm(const gemm_args& args, Context& context) {
  const Slot &out = context.slot(args.out), &a2 = context.slot(args.a2);
  const bool trans_a = args.trans_a != 0, trans_b = args.trans_b != 0;
  const int64_t m = out.rows, n = out.cols;
  dispatch_real(out.dtype, [&](auto tag) {
    using T = decltype(tag);
    const T alpha = static_cast<T>(args.alpha), beta = static_cast<T>(args.beta);
    const auto [a, b] = factors<T>(context.slot(args.a), context.slot(args.b), trans_a, trans_b, out);
    const Epilogue<T> rest(m, n, context.slot(args.addend), context.slot(args.bias).as<T>(), args.kind, args.slope,
                           args.p, args.stream, args.layer, context.slot(args.ids), context);
    if (m == 0 || n == 0) return;
    T* to = out.as<T>();
    multiply(a, b, to, m, n, alpha, beta);
    if (a2.live) {
      const auto [second_a, second_b] = factors<T>(a2, context.slot(args.b2), trans_a, trans_b, out);
      multiply(second_a, second_b, to, m, n, alpha, T{1});
    }
    if (!rest.is_empty()) map_fours(static_cast<const T*>(to), to, m, n, rest);
  });
}

GUST_OPS_END
