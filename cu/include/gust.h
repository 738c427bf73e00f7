/* gust native library: one C ABI, exported alike by libgust_cpu.so and libgust_cuda.so.
 *
 * Conventions
 *  - Every fallible function returns int32_t: GUST_OK or a negative GUST_E*; gust_last_error() has the text
 *    (per thread). No exception, callback or ownership guess crosses this boundary.
 *  - Sizes and offsets are int64_t. `_create` pairs with `_destroy`, `_open` with `_close`, `_alloc` with `_free`.
 *  - Row = destination: indices[indptr[v] .. indptr[v+1]) are the in-neighbours of v; indptr is int64 always,
 *    indices int32 or int64 as a `dtype` argument (GUST_I32 or GUST_I64) says.
 *  - Arithmetic on tensors goes through gust_run() and the op table (ffi/ops.ts); everything else is a plain
 *    function declared here and listed in ffi/symbols.ts. A test holds the three together.
 */
#ifndef GUST_H
#define GUST_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GUST_API __attribute__((visibility("default")))

/* Raised by every change that an older caller could not survive. */
#define GUST_ABI_VERSION 1

/* Status codes. */
enum {
  GUST_OK = 0,
  GUST_EINVAL = -1,  /* an argument is out of range or inconsistent */
  GUST_ENOMEM = -2,  /* out of memory */
  GUST_EIO = -3,     /* a system call failed; the text names it */
  GUST_EDATA = -4,   /* the input holds something illegal; the text names the place */
  GUST_EPIPE = -5,   /* the reader of a pipe has gone away */
  GUST_ENOSYS = -6,  /* this library (or machine) cannot do it; the text says what is missing */
  GUST_EFAIL = -7,   /* internal failure */
  GUST_EEOF = -8     /* the input ended before the announced size */
};

/* Element types, named as safetensors names them. */
enum {
  GUST_F64 = 0, GUST_F32 = 1, GUST_F16 = 2, GUST_BF16 = 3,
  GUST_I64 = 4, GUST_I32 = 5, GUST_I16 = 6, GUST_I8 = 7,
  GUST_U64 = 8, GUST_U32 = 9, GUST_U16 = 10, GUST_U8 = 11, GUST_BOOL = 12
};

/* ---- library -------------------------------------------------------------------------------------------- */

/** GUST_ABI_VERSION of the loaded library. */
GUST_API int32_t gust_abi_version(void);
/** Copy the calling thread's last error text (NUL-terminated, cut to `size`); returns its full length. */
GUST_API int64_t gust_last_error(char* text, int64_t size);
/** Describe the build and the chosen code path as JSON ({"isa":"avx512","threads":2,...}); returns the length. */
GUST_API int64_t gust_describe(char* text, int64_t size);
/** Worker threads for everything that follows; 0 = all available cores. Results never depend on it. */
GUST_API int32_t gust_set_num_threads(int32_t count);
GUST_API int32_t gust_num_threads(void);
/** Force "portable", "avx2" or "avx512" kernels (tests); GUST_ENOSYS if this machine cannot run them. */
GUST_API int32_t gust_set_isa(const char* name);

/* ---- memory ---------------------------------------------------------------------------------------------- */

/** `size` bytes, 64-byte aligned, zeroed if `zero`; large blocks ask for huge pages. `out[0]` = address. */
GUST_API int32_t gust_alloc(int64_t size, int32_t zero, int64_t* out);
/** Free what gust_alloc gave (size as asked). A NULL address is fine. */
GUST_API int32_t gust_free(int64_t address, int64_t size);
/** Copy `size` bytes between native addresses. */
GUST_API int32_t gust_copy(int64_t to, int64_t from, int64_t size);
/** out[0] = bytes now held by gust_alloc, out[1] = most ever held, out[2] = process anonymous + shared resident
 *  bytes now, out[3] = its highest value seen by the library (sampled at allocation and at this call). */
GUST_API int32_t gust_memory(int64_t* out);

/* ---- context, arenas, slots, programs ------------------------------------------------------------------- */

typedef struct gust_context gust_context;

/** `out[0]` = context on the device (0 = the library's first). */
GUST_API int32_t gust_context_create(int32_t device, int64_t* out);
GUST_API int32_t gust_context_destroy(int64_t context);
/** `out[0]` = address of the step block: GUST_STEP_WORDS words of 8 bytes that ops read by index, so that a
 *  recorded program sees new counters and rates at every replay. */
GUST_API int32_t gust_context_step_block(int64_t context, int64_t* out);
#define GUST_STEP_WORDS 512

/** `out[0]` = a new arena: memory and slots that are dropped together. Arena 0 exists always; its tensors are
 *  freed one by one. */
GUST_API int32_t gust_arena_create(int64_t context, int64_t* out);
/** Drop every tensor of the arena, keep its memory for reuse. */
GUST_API int32_t gust_arena_reset(int64_t context, int32_t arena);
GUST_API int32_t gust_arena_destroy(int64_t context, int32_t arena);
/** A new tensor of rows x cols in the arena: out[0] = slot, out[1] = address. */
GUST_API int32_t gust_tensor_create(int64_t context, int32_t arena, int32_t dtype, int64_t rows, int64_t cols,
                                    int32_t zero, int64_t* out);
/** A slot for memory that somebody else owns (a mapped file, another tensor's rows): out[0] = slot. */
GUST_API int32_t gust_tensor_bind(int64_t context, int32_t arena, int32_t dtype, int64_t rows, int64_t cols,
                                  int64_t address, int64_t* out);
/** Point an existing bound slot elsewhere (the next batch's arrays under a recorded program). */
GUST_API int32_t gust_tensor_rebind(int64_t context, int64_t slot, int64_t rows, int64_t cols, int64_t address);
/** Free a tensor of arena 0 (memory too, unless bound). */
GUST_API int32_t gust_tensor_destroy(int64_t context, int64_t slot);

/** Run a program: argument blocks of the op table one after another (layout: build/generated/ops.h). One op is a
 *  program of one block; a recorded step is a program of many. Stops at the first failure. */
GUST_API int32_t gust_run(int64_t context, const void* program, int64_t size);

/* ---- files ----------------------------------------------------------------------------------------------- */

/** Map a regular file read-only, whatever its size: out[0] = mapping, out[1] = address (0 if empty), out[2] = size. */
GUST_API int32_t gust_file_map(const char* path, int64_t* out);
/** Map size bytes of an open file from any offset; out as in gust_file_map. The descriptor may be closed after. */
GUST_API int32_t gust_fd_map(int32_t fd, int64_t offset, int64_t size, int64_t* out);
/** Unmap or free what gust_file_map, gust_fd_map or gust_spool gave. */
GUST_API int32_t gust_mapping_close(int64_t mapping);
/** Read `size` bytes, waiting for them: out[0] = bytes read, fewer only at the end of the input. */
GUST_API int32_t gust_fd_read(int32_t fd, void* data, int64_t size, int64_t* out);
/** Move the position of an open file to `offset`, or by `offset` if `relative`; out[0] = the new position. */
GUST_API int32_t gust_fd_seek(int32_t fd, int64_t offset, int32_t relative, int64_t* out);
/** Put `head` and the next `size` bytes of fd together: in memory up to memory_limit bytes, else in an unnamed file
 *  of the folder TMPDIR, mapped. out as in gust_file_map; out[3] = bytes read of fd, set on failure too; GUST_EEOF if
 *  the input ends early. */
GUST_API int32_t gust_spool(int32_t fd, const void* head, int64_t head_size, int64_t size, int64_t memory_limit,
                            int64_t* out);
/** out[0] = a writer to fd that hashes what passes through it; fd -1 hashes only. */
GUST_API int32_t gust_writer_create(int32_t fd, int64_t* out);
GUST_API int32_t gust_writer_destroy(int64_t writer);
/** Write bytes, all of them or fail: GUST_EPIPE if the reader has gone, GUST_EIO with the system's text. */
GUST_API int32_t gust_writer_put(int64_t writer, int64_t address, int64_t size);
GUST_API int32_t gust_writer_put_array(int64_t writer, const void* data, int64_t size);
/** XXH3-128 (16 bytes, canonical big-endian order) of what was put since the last call; starts a new hash. */
GUST_API int32_t gust_writer_take_hash(int64_t writer, void* hash);
/** XXH3-128 of a range of memory, as gust_writer_take_hash gives it. */
GUST_API int32_t gust_hash(int64_t address, int64_t size, void* hash);
/** Have the file removed if SIGINT, SIGTERM or SIGHUP ends the process (only where these have their default action);
 *  out[0] = index. At most 8 at once. */
GUST_API int32_t gust_temporary_add(const char* path, int64_t* out);
/** The file is finished or gone: forget it. */
GUST_API int32_t gust_temporary_remove(int64_t index);

/* ---- checks ---------------------------------------------------------------------------------------------- */
/* For `gust inspect --check`. Unless said otherwise out[0] = places that break the rule, out[1] = the first such
 * place (-1: none), out[2] = the value there. `ptr` arrays hold segments + 1 int64 offsets into `items` items and are
 * checked themselves (GUST_EDATA). */

/** Elements that are infinite or not a number; dtype F64, F32, F16 or BF16. */
GUST_API int32_t gust_check_finite(int32_t dtype, int64_t address, int64_t n, int64_t* out);
/** Elements outside low .. high; dtype I64, I32, U8 or BOOL. */
GUST_API int32_t gust_check_range(int32_t dtype, int64_t address, int64_t n, int64_t low, int64_t high, int64_t* out);
/** Elements below the one before them (or equal to it, if strict); dtype I64, I32, F64 or F32. */
GUST_API int32_t gust_check_ascending(int32_t dtype, int64_t address, int64_t n, int32_t strict, int64_t* out);
/** The same inside each row of a CSR; out[1] = row, out[2] = item. */
GUST_API int32_t gust_check_rows(int64_t ptr, int64_t rows, int64_t items, int32_t dtype, int64_t values,
                                 int32_t strict, int64_t* out);
/** Elements of segment s outside low[s] .. high[s] - 1 (int64 arrays); dtype I64, I32, U8 or BOOL. */
GUST_API int32_t gust_check_bounded(int64_t ptr, int64_t segments, int64_t items, int32_t dtype, int64_t values,
                                    int64_t low, int64_t high, int64_t* out);
/** Elements (int64) that are outside 0 .. n-1 or were there before. */
GUST_API int32_t gust_check_permutation(int64_t values, int64_t n, int64_t* out);
/** Nodes order[i] (int64) of segment s with group[order[i]] (int32) other than s. */
GUST_API int32_t gust_check_grouped(int64_t ptr, int64_t groups, int64_t order, int64_t group, int64_t n, int64_t* out);
/** Places where two masks of n bytes are both set. */
GUST_API int32_t gust_check_disjoint(int64_t a, int64_t b, int64_t n, int64_t* out);
/** Elements that two ascending int64 lists share; out[2] = the first. */
GUST_API int32_t gust_check_no_common(int64_t a, int64_t a_size, int64_t b, int64_t b_size, int64_t* out);
/** Arcs of a square CSR with sorted rows whose reverse is missing; out[1] = row, out[2] = column. */
GUST_API int32_t gust_check_symmetric(int64_t indptr, int64_t n, int64_t items, int32_t dtype, int64_t indices,
                                      int64_t* out);
/** Of a square CSR with sorted rows: self-loops, duplicate arcs, empty rows, least and most entries of a row. */
GUST_API int32_t gust_graph_stats(int64_t indptr, int64_t n, int64_t items, int32_t dtype, int64_t indices,
                                  int64_t* out);

/* ---- csr ------------------------------------------------------------------------------------------------- */

/** out[0] = entries on the diagonal. */
GUST_API int32_t gust_csr_count_self_loops(int64_t rows, int64_t indptr, int64_t indices, int32_t dtype, int64_t* out);
/** Copy without the diagonal; `values` (value_size bytes each) may be NULL. The outputs hold rows + 1 and nnz -
 *  self-loops elements. */
GUST_API int32_t gust_csr_without_self_loops(int64_t rows, int64_t indptr, int64_t indices, int32_t dtype,
                                             int64_t values, int32_t value_size, int64_t out_indptr,
                                             int64_t out_indices, int64_t out_values);
/** out[0] = 1 if every entry (i, j) has its (j, i). Rows must be ascending. */
GUST_API int32_t gust_csr_is_symmetric(int64_t rows, int64_t indptr, int64_t indices, int32_t dtype, int64_t* out);

#ifdef __cplusplus
}
#endif
#endif
