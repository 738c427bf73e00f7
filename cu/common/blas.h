// The dense products of a BLAS library, opened at the first product.
#pragma once

namespace gust {

/** C functions of CBLAS; sizes are 32-bit. Enumerations: 101 = row-major, 111 = as is, 112 = transposed. */
struct Blas {
  static constexpr int kRowMajor = 101, kPlain = 111, kTransposed = 112;
  template <class T>
  using Gemm = void (*)(int order, int trans_a, int trans_b, int m, int n, int k, T alpha, const T* a, int lda,
                        const T* b, int ldb, T beta, T* c, int ldc);
  Gemm<float> sgemm;
  Gemm<double> dgemm;

  void gemm(int trans_a, int trans_b, int m, int n, int k, float alpha, const float* a, int lda, const float* b,
            int ldb, float beta, float* c, int ldc) const {
    sgemm(kRowMajor, trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  }
  void gemm(int trans_a, int trans_b, int m, int n, int k, double alpha, const double* a, int lda, const double* b,
            int ldb, double beta, double* c, int ldc) const {
    dgemm(kRowMajor, trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  }
};

/**
 * OpenBLAS with its own threads off: gust's threads call it on blocks, and OpenBLAS's split of a product by its
 * thread count changes bits. Safe from many threads. Throws GUST_ENOSYS with the line that installs it.
 */
const Blas& blas();

}  // namespace gust
