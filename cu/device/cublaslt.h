// cuBLASLt, opened at the first product: dense products of NVIDIA's library, which is not needed to compile or load
// ours.
//
// These are the parts of <cublasLt.h> that gemm.cu uses, with the values and layouts of its binary interface (the same
// in versions 12 and 13). test/cu/emulate/cublaslt.cpp stands for the library in the emulation.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

namespace gust::cuda {

/** Functions of the library: those of the same name behind "cublasLt". Enumerations are 32-bit; 0 is success. */
struct CublasLt {
  using Handle = struct OpaqueHandle*;
  using MatmulDesc = struct OpaqueMatmulDesc*;
  using MatrixLayout = struct OpaqueMatrixLayout*;
  using Preference = struct OpaquePreference*;
  struct Algorithm { uint64_t data[8]; };
  struct Heuristic {
    Algorithm algorithm;
    size_t workspace;  // bytes
    int32_t state;     // of this result
    float waves;
    int32_t reserved[4];
  };

  // cublasStatus_t
  static constexpr int32_t kSuccess = 0, kAllocFailed = 3, kInvalidValue = 7, kNotSupported = 15;
  // cudaDataType_t
  static constexpr int32_t kF32 = 0, kF64 = 1;
  // cublasComputeType_t
  static constexpr int32_t kCompute32 = 68, kCompute64 = 70, kComputeTf32 = 77;
  // cublasOperation_t
  static constexpr int32_t kPlain = 0, kTransposed = 1;
  // cublasLtMatmulDescAttributes_t, values of 4 bytes
  static constexpr int32_t kTransA = 3, kTransB = 4;
  // cublasLtMatmulPreferenceAttributes_t: 8 bytes; 4 bytes each
  static constexpr int32_t kMaxWorkspace = 1;
  static constexpr int32_t kAlignmentA = 5, kAlignmentB = 6, kAlignmentC = 7, kAlignmentD = 8;

  int32_t (*create)(Handle* handle);
  const char* (*get_status_string)(int32_t status);
  int32_t (*matmul_desc_create)(MatmulDesc* desc, int32_t compute, int32_t scale);
  int32_t (*matmul_desc_destroy)(MatmulDesc desc);
  int32_t (*matmul_desc_set_attribute)(MatmulDesc desc, int32_t attribute, const void* value, size_t size);
  int32_t (*matrix_layout_create)(MatrixLayout* layout, int32_t type, uint64_t rows, uint64_t cols, int64_t ld);
  int32_t (*matrix_layout_destroy)(MatrixLayout layout);
  int32_t (*preference_create)(Preference* preference);
  int32_t (*preference_destroy)(Preference preference);
  int32_t (*preference_set_attribute)(Preference preference, int32_t attribute, const void* value, size_t size);
  int32_t (*get_heuristic)(Handle handle, MatmulDesc desc, MatrixLayout a, MatrixLayout b, MatrixLayout c,
                           MatrixLayout d, Preference preference, int wanted, Heuristic* results, int* found);
  /** d = alpha * op(a) op(b) + beta * c, column-major. */
  int32_t (*matmul)(Handle handle, MatmulDesc desc, const void* alpha, const void* a, MatrixLayout a_layout,
                    const void* b, MatrixLayout b_layout, const void* beta, const void* c, MatrixLayout c_layout,
                    void* d, MatrixLayout d_layout, const Algorithm* algorithm, void* workspace, size_t size,
                    cudaStream_t stream);
};

/** Opens the library at the first call. Throws GUST_ENOSYS with how to get it. */
const CublasLt& cublaslt();

}  // namespace gust::cuda
