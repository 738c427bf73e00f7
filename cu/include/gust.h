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

#include "gust_codes.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GUST_API __attribute__((visibility("default")))

/* Raised by every change that an older caller could not survive. */
#define GUST_ABI_VERSION 1

/* ---- library -------------------------------------------------------------------------------------------- */

/** GUST_ABI_VERSION of the loaded library. */
GUST_API int32_t gust_abi_version(void);
/** Copy the calling thread's last error text (NUL-terminated, cut to `size`); returns its full length. */
GUST_API int64_t gust_last_error(char* text, int64_t size);
/** Describe the build and the chosen code path as JSON ({"isa":"avx512","threads":2,...}); returns the length. */
GUST_API int64_t gust_describe(char* text, int64_t size);
/** Get ready to run on device `number` of the library (the CPU library has 0 alone). GUST_ENOSYS says what is missing. */
GUST_API int32_t gust_device_open(int32_t number);
/** Worker threads for everything that follows; 0 = all available cores. Results never depend on it. */
GUST_API int32_t gust_set_num_threads(int32_t count);
GUST_API int32_t gust_num_threads(void);
/** Force "portable", "avx2" or "avx512" kernels (tests); GUST_ENOSYS if this machine cannot run them. */
GUST_API int32_t gust_set_isa(const char* name);
/** What sparse kernels ask of the memory system: out[4] = cache level of prefetches (1 or 2), cache lines ahead, bytes of
 *  a column tile (0: no tiles), and bytes of the last-level cache (0: unknown). No result depends on them. */
GUST_API int32_t gust_tuning(int64_t* out);
GUST_API int32_t gust_set_tuning(int32_t prefetch_level, int64_t lines_ahead, int64_t tile_bytes);

/* ---- memory ---------------------------------------------------------------------------------------------- */

/** `size` bytes, 64-byte aligned, zeroed if `zero`; large blocks ask for huge pages. `out[0]` = address. */
GUST_API int32_t gust_alloc(int64_t size, int32_t zero, int64_t* out);
/** Free what gust_alloc gave (size as asked). A NULL address is fine. */
GUST_API int32_t gust_free(int64_t address, int64_t size);
/** Copy `size` bytes between native addresses, of the host or of the device, after the ops that were run before. */
GUST_API int32_t gust_copy(int64_t to, int64_t from, int64_t size);
/** Copy `size` bytes from a native address into the caller's buffer, or from it to a native address. */
GUST_API int32_t gust_read(void* to, int64_t from, int64_t size);
GUST_API int32_t gust_write(int64_t to, const void* from, int64_t size);
/** Let ops use memory of the host where it is, until gust_forget(): tensors bound to it are read over the bus, and not
 *  copied to the device. Nothing where the device is the CPU. */
GUST_API int32_t gust_reach(int64_t address, int64_t size);
GUST_API int32_t gust_forget(int64_t address);
/** Wait for everything that was run: the first failure of an op is told here, or by whatever copies a result. */
GUST_API int32_t gust_finish(void);
/** out[0] = bytes now held by gust_alloc, out[1] = most ever held, out[2] = process anonymous + shared resident
 *  bytes now, out[3] = its highest value seen by the library (sampled at allocation and at this call), out[4] = bytes
 *  now held on the device, out[5] = most ever held there (0 where the device is the CPU). */
GUST_API int32_t gust_memory(int64_t* out);

/* ---- context, arenas, slots, programs ------------------------------------------------------------------- */

typedef struct gust_context gust_context;

/** `out[0]` = context on the device (0 = the library's first). Tensors are memory of the device: the host reads and
 *  writes them with gust_copy, gust_read and gust_write alone. */
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
/** A slot for memory that somebody else owns (a mapped file, another tensor's rows): out[0] = slot, out[1] = address
 *  of the tensor, which is a copy of its own where the device cannot use the memory in place. */
GUST_API int32_t gust_tensor_bind(int64_t context, int32_t arena, int32_t dtype, int64_t rows, int64_t cols,
                                  int64_t address, int64_t* out);
/** Point an existing bound slot elsewhere (the next batch's arrays under a recorded program). */
GUST_API int32_t gust_tensor_rebind(int64_t context, int64_t slot, int64_t rows, int64_t cols, int64_t address);
/** Free a tensor of arena 0 (memory too, unless bound). */
GUST_API int32_t gust_tensor_destroy(int64_t context, int64_t slot);

/** Let what follows on the device (ops, copies to it) run in queue 0, as at first, or in queue 1, side by side with
 *  queue 0: the next batch is made ready while this one trains. Nothing where the device is the CPU. */
GUST_API int32_t gust_queue_use(int32_t queue);
/** What the other queue gets from now on waits for what this one has got so far. */
GUST_API int32_t gust_queue_join(void);
/** Products may round their factors to 10 bits (TF32) where that is faster; not at first, and not on the CPU. */
GUST_API int32_t gust_set_fast(int32_t fast);

/** Run a program: argument blocks of the op table one after another (layout: build/generated/ops.h). One op is a
 *  program of one block; a recorded step is a program of many. Stops at the first failure. */
GUST_API int32_t gust_run(int64_t context, const void* program, int64_t size);

/** Keep the times of every op that runs from now on, counted from now; what was kept before is dropped. */
GUST_API int32_t gust_profile_start(int64_t context);
/** Stop keeping times; those that were kept can still be taken. */
GUST_API int32_t gust_profile_stop(int64_t context);
/** Hand over the oldest kept times, at most `capacity` ops, in the order in which they ran: op number, start and
 *  duration in nanoseconds, three words each. Returns how many; fewer than `capacity`: none are left. */
GUST_API int32_t gust_profile_take(int64_t context, int32_t capacity, int64_t* out);

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
/** Write what a file has in memory to its disk and let the page cache forget it, as far as nobody has it mapped. */
GUST_API int32_t gust_file_drop(const char* path);
/** out[0] = bytes of the file that lie in the page cache, in whole pages; out[1] = its size. */
GUST_API int32_t gust_file_cached(const char* path, int64_t* out);
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
/** A new file without a name in a folder ("": that of temporary files), open for reading and writing: nothing stays behind
 *  however the process ends. out[0] = its descriptor. */
GUST_API int32_t gust_unnamed_file(const char* folder, int64_t* out);
/** Lock an open file or folder (flock) for as long as it is open: out[0] = 1, or 0 if another process has it locked. */
GUST_API int32_t gust_fd_lock(int32_t fd, int64_t* out);
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
/** Of a square CSR, rows in any order: self-loops, duplicate arcs, empty rows, least and most entries of a row. */
GUST_API int32_t gust_graph_stats(int64_t indptr, int64_t n, int64_t items, int32_t dtype, int64_t indices,
                                  int64_t* out);

/* ---- statistics ------------------------------------------------------------------------------------------- */
/* For `gust inspect`: exact counts, the same for any thread count. Row pointers, indices and labels are checked where
 * they are read (GUST_EDATA). A distribution is 67 numbers: least, greatest, then 65 counts, of zeros and of values
 * 2^(b-1) .. 2^b - 1 for b = 1 .. 64. */

/** out = distribution of the row lengths of a pointer of n + 1 offsets into `items` items. */
GUST_API int32_t gust_stats_lengths(int64_t ptr, int64_t n, int64_t items, int64_t* out);
/** out = distribution of how often each of 0 .. n-1 is among the values (I32 or I64). Memory: 8 bytes per node. */
GUST_API int32_t gust_stats_occurrences(int64_t n, int64_t items, int32_t dtype, int64_t values, int64_t* out);
/** Weakly connected components: parent (I64 [n]) makes every node its own component. */
GUST_API int32_t gust_components_begin(int64_t parent, int64_t n);
/** Join the ends of the arcs of a CSR whose row r is node first_row + r and whose column c is node first_column + c. */
GUST_API int32_t gust_components_join(int64_t parent, int64_t n, int64_t first_row, int64_t num_rows,
                                      int64_t first_column, int64_t num_columns, int64_t indptr, int64_t items,
                                      int32_t dtype, int64_t indices);
/** out[0] = components, out[1] = nodes of the largest, out[2] = components of one node, then 65 counts of sizes. */
GUST_API int32_t gust_components_count(int64_t parent, int64_t n, int64_t* out);
/** Arcs of a square CSR between labelled nodes (label I32, negative: none), self-loops left out. counts (I64) per
 *  class: arcs into it, arcs from it, arcs inside it. out[0] = sum over the nodes with such an arc into them of the
 *  share that comes from their own class; out[1] = those nodes. */
GUST_API int32_t gust_stats_homophily(int64_t n, int64_t indptr, int64_t items, int32_t dtype, int64_t indices,
                                      int64_t label, int64_t classes, int64_t counts, double* out);
/** counts[c] (I64 [classes + 1]) = how often c is among the values (I32) where the mask (U8; NULL: everywhere) is set;
 *  the last count is that of negative values. */
GUST_API int32_t gust_stats_values(int64_t n, int64_t values, int64_t mask, int64_t classes, int64_t counts);
/** counts[c] (I64 [columns]) = cells that are not 0 in column c of a U8 matrix, over the rows whose mask is set. */
GUST_API int32_t gust_stats_columns(int64_t rows, int64_t columns, int64_t values, int64_t mask, int64_t counts);
/** out[0] = elements that are 0 or -0. */
GUST_API int32_t gust_stats_zeros(int32_t dtype, int64_t address, int64_t n, int64_t* out);
/** Least and greatest of F64, F32, I64 or I32, NaN left out; out[0] > out[1] where there is none. */
GUST_API int32_t gust_stats_range(int32_t dtype, int64_t address, int64_t n, double* out);
/** counts (I64 [bins]) of the values in equal bins from low to high, both included; others are left out. */
GUST_API int32_t gust_stats_histogram(int32_t dtype, int64_t address, int64_t n, double low, double high, int64_t bins,
                                      int64_t counts);

/* ---- csr ------------------------------------------------------------------------------------------------- */

/** out[0] = entries on the diagonal. */
GUST_API int32_t gust_csr_count_self_loops(int64_t rows, int64_t indptr, int64_t indices, int32_t dtype, int64_t* out);
/** Copy without the diagonal; `values` (value_size bytes each) may be NULL. The outputs hold rows + 1 and nnz -
 *  self-loops elements. */
GUST_API int32_t gust_csr_without_self_loops(int64_t rows, int64_t indptr, int64_t indices, int32_t dtype,
                                             int64_t values, int32_t value_size, int64_t out_indptr,
                                             int64_t out_indices, int64_t out_values);
/** The pattern, without a diagonal so far, with a self-loop in every row at its place in the order of columns;
 *  out_indices holds nnz + rows elements. Needs rows <= columns. */
GUST_API int32_t gust_csr_with_self_loops(int64_t rows, int64_t indptr, int64_t indices, int32_t dtype,
                                          int64_t out_indptr, int64_t out_indices);
/** Nodes exactly two hops away: neighbours of neighbours that are neither neighbours nor the node itself, ascending.
 *  Rows must ascend. With out_indices = 0 it writes out_indptr (rows + 1), else the columns. */
GUST_API int32_t gust_csr_two_hops(int64_t rows, int64_t indptr, int64_t indices, int32_t dtype, int64_t out_indptr,
                                   int64_t out_indices);
/** out[0] = 1 if every entry (i, j) has its (j, i). Rows must be ascending. */
GUST_API int32_t gust_csr_is_symmetric(int64_t rows, int64_t indptr, int64_t indices, int32_t dtype, int64_t* out);

/* ---- import ---------------------------------------------------------------------------------------------- */

/** The bytes of a file (path "": standard input): mapped, or spooled where they come from a pipe; gzip and zstd are
 *  unpacked. A spool past most_in_memory bytes is an unlinked temporary file. out[0] = mapping (gust_mapping_close),
 *  out[1] = address, out[2] = size, out[3] = 0 plain, 1 gzip, 2 zstd. */
GUST_API int32_t gust_source_open(const char* path, int64_t most_in_memory, int64_t* out);
/** Lines, words and blank lines at the end of a text, '%' lines left out; stops past most_lines. out[0..2]. */
GUST_API int32_t gust_text_shape(int64_t address, int64_t size, int64_t most_lines, int64_t* out);

/** Lines of a text from byte `begin` on, without blank ones at its end: the rows of gust_matrix_parse(). GUST_EDATA
 *  "LINE:COLUMN: ..." for a line that ends with a carriage return alone, as the other parsers of text. */
GUST_API int32_t gust_matrix_rows(int64_t address, int64_t size, int64_t begin, int64_t* out);
/** Parse a table of numbers in parallel into row-major memory of the caller (I64, I32, F64 or F32). format: first byte,
 *  delimiter (0 = blanks), columns, smallest and largest integer, 1 if a field may be missing (empty or nan: -1 or NaN).
 *  title: what an element is, for messages. GUST_EDATA "LINE:COLUMN: what" names the first mistake. */
GUST_API int32_t gust_matrix_parse(int64_t address, int64_t size, const int64_t* format, const char* title,
                                   int32_t dtype, int64_t matrix);

/* Edge lists: arcs (source, target) in the order of the file. The calls that make one set out[0] = handle, [1] = edges,
 * [2], [3] = smallest and largest id, [4] = 1 if every weight is 1, [5] = 1 if there are weights, [6], [7] = comment
 * and blank lines left out, [8], [9] = names and their bytes (-1: integer ids), [10] = 1 if ids take 64 bits. */
/** Parse text in parallel. dialect: first byte, delimiter (0 = blanks), columns, source, target and weight column
 *  (from 0; -1 = none), index base, bound of the ids (-1 = none), 1 if ids are names, the letter in front of every
 *  line (0 = none; columns count behind it), bytes that buffers may hold in memory before they go to unlinked
 *  temporary files, those of the build too (-1 = no bound). comment: prefix of lines to leave out ("": any of # % //).
 *  GUST_EDATA "LINE:COLUMN: what" names the first mistake.
 *  Memory: 8 bytes per line (16 where ids take 64 bits), 8 more with weights. */
GUST_API int32_t gust_edges_parse(int64_t address, int64_t size, const int64_t* dialect, const char* comment,
                                  int64_t* out);
/** Parse the body of a METIS graph. format: first byte, byte of the header, nodes, weights per node, 1 if nodes have
 *  sizes, 1 if edges have weights, index base, bytes held in memory (as above). node_weights (I64 [nodes, weights]) and
 *  sizes (I64 [nodes]) are filled. */
GUST_API int32_t gust_edges_parse_metis(int64_t address, int64_t size, const int64_t* format, int64_t node_weights,
                                        int64_t sizes, int64_t* out);
/** Edges sources[i * stride], targets[i * stride] of type dtype. */
GUST_API int32_t gust_edges_from_pairs(int64_t sources, int64_t targets, int64_t stride, int32_t dtype, int64_t count,
                                       int64_t* out);
/** Entry (row, column) of a CSR matrix as edge row -> column; values (F32 or F64) may be NULL. */
GUST_API int32_t gust_edges_from_csr(int64_t num_rows, int64_t indptr, int64_t indices, int32_t dtype, int64_t values,
                                     int32_t values_dtype, int64_t* out);
/** Bytes that buffers may hold in memory from now on, in a build too (-1 = no bound). */
GUST_API int32_t gust_edges_set_limit(int64_t edges, int64_t limit);
/** Give a list made of arrays one weight (F32, F64) per edge. out as for the calls that make one, but out[0]. */
GUST_API int32_t gust_edges_set_weights(int64_t edges, int64_t values, int32_t dtype, int64_t* out);
/** Number the ids that occur 0, 1, 2, ... in ascending order: out[0] = how many; out[1..] as above. */
GUST_API int32_t gust_edges_relabel(int64_t edges, int64_t* out);
/** The id that each number of gust_edges_relabel() had, I64. */
GUST_API int32_t gust_edges_original_ids(int64_t edges, int64_t ids);
/** The names of string ids: bytes, and where each begins (I64, names + 1). */
GUST_API int32_t gust_edges_names(int64_t edges, int64_t bytes, int64_t indptr);
/** The ids in the order of the list, I64 [edges, 2], with a number added to each source and each target. */
GUST_API int32_t gust_edges_pairs(int64_t edges, int64_t add_to_source, int64_t add_to_target, int64_t pairs);
/** The weights in the order of the list, F64. out[0] = 1 if some of them lose by F32. */
GUST_API int32_t gust_edges_weights(int64_t edges, int64_t weights, int64_t* out);
GUST_API int32_t gust_edges_destroy(int64_t edges);

enum {
  GUST_BUILD_ROW_IS_SOURCE = 1,     /* row = source (feature matrices); else row = destination */
  GUST_BUILD_SYMMETRIZE = 2,        /* add the missing reverse of every edge; two weights: the larger */
  GUST_BUILD_REMOVE_SELF_LOOPS = 4,
  GUST_BUILD_SELF_LOOPS = 8,        /* add the missing ones, weight 1 */
  GUST_BUILD_WEIGHTED = 16,         /* keep the list's weights */
  GUST_BUILD_WIDE = 32,             /* 64-bit indices even where 32 would do */
  GUST_BUILD_MIRROR = 64            /* listed builds: add the reverse of every edge, listed or not */
};
/** CSR of an edge list, whose edges are used up: rows ascending, duplicates merged, their weights added.
 *  out[0] = handle that owns the arrays, [1] = entries, [2], [3] = addresses of indptr and indices, [4] = dtype of
 *  indices, [5], [6] = address (0 = none) and dtype of values, [7] = duplicates merged, [8] = arcs added by
 *  symmetrising, [9], [10] = self-loops removed and added, [11] = self-loops there are, [12] = entries whose two
 *  directions had different weights. Memory: two copies of the edges at most. GUST_EDATA where weights add up past
 *  float64. */
GUST_API int32_t gust_build_create(int64_t edges, int64_t num_rows, int64_t num_columns, int32_t flags, int64_t* out);
/** CSR of an edge list whose edges have columns: nothing is merged, and values (I64) are the numbers of the listed edges
 *  that the entries came from; a mirrored entry has its edge's number. Rows ascend by column, or by times (I64 or F64 per
 *  listed edge, 0 = none), equal ones in the order of the list. SYMMETRIZE keeps a mirrored entry where the list has no
 *  arc that way; SELF_LOOPS is refused, and SYMMETRIZE with times. out as above; [7] = parallel arcs, [12] = 0. */
GUST_API int32_t gust_build_listed(int64_t edges, int64_t num_rows, int64_t num_columns, int32_t flags, int64_t times,
                                   int32_t times_dtype, int64_t* out);
GUST_API int32_t gust_build_destroy(int64_t built);

/** out[0] = 1 if the matrix equals its transpose (values too, if not NULL); else out[1], out[2] = row and column of an
 *  entry whose mirror image is missing (out[3] = 0) or different (1). Rows must be ascending. */
GUST_API int32_t gust_csr_asymmetry(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t values,
                                    int32_t values_dtype, int64_t* out);
/** labels[v] (I64) = smallest node of v's weakly connected component; out[0] = components, out[1] = label and out[2] =
 *  size of the largest (of several: the one with the smallest label). */
GUST_API int32_t gust_csr_components(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t labels,
                                     int64_t* out);
/** The nodes with a label, ascending (I64, as many as there are), and their numbers in that list (I64 [n], -1: other). */
GUST_API int32_t gust_rows_of_label(int64_t labels, int64_t n, int64_t wanted, int64_t rows, int64_t map);
/** out[0] = nodes without a neighbour in either direction (self-loops do not count). */
GUST_API int32_t gust_csr_isolated(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t* out);
/** Row pointer of the matrix made of `count` given rows. */
GUST_API int32_t gust_csr_select_sizes(int64_t indptr, int64_t rows, int64_t count, int64_t out_indptr);
/** The rows themselves: columns renumbered by column_map (I64; NULL keeps them), values of values_size bytes. */
GUST_API int32_t gust_csr_select(int64_t indptr, int64_t indices, int32_t dtype, int64_t values, int32_t values_size,
                                 int64_t rows, int64_t count, int64_t column_map, int64_t out_indptr,
                                 int64_t out_indices, int64_t out_values);
/** Rows of row_bytes bytes, gathered in the order of `rows`. */
GUST_API int32_t gust_rows_select(int64_t from, int64_t row_bytes, int64_t rows, int64_t count, int64_t to);

/** Items [begin, end) of a CSR as text: entries, and the end of every row. words: rows, indptr, indices and their dtype,
 *  begin, end, 0 = a line "column row values" per entry or 1 = a line of columns per row, index base, delimiter,
 *  0 = all entries or 1 = those with column >= row or 2 = all off the diagonal, ids to write instead of numbers (I64
 *  [rows], 0 = none), names and where each begins (0 = none), columns of values as pairs (address, dtype) and how many,
 *  numbers in front of each list (I64 [rows, m], 0 = none) and m. out[0] = text (gust_free), out[1] = its bytes,
 *  out[2] = entries written. GUST_EDATA for a name with a line break. */
GUST_API int32_t gust_csr_text(const int64_t* words, int64_t* out);

/** A member of a zip file: stored or deflated, checked against its CRC-32. */
GUST_API int32_t gust_unzip(int64_t from, int64_t from_size, int32_t deflated, int64_t crc, int64_t to,
                            int64_t to_size);
/** Reverse the bytes of each element, in place. */
GUST_API int32_t gust_swap_bytes(int64_t address, int64_t count, int32_t size);
/** Transpose a row-major rows x cols matrix of elements of `size` bytes. */
GUST_API int32_t gust_transpose(int64_t from, int64_t rows, int64_t cols, int32_t size, int64_t to);
/** Convert elements of any dtype to F64, F32, I64 or I32; out[0] = first element that an integer type cannot hold
 *  (then nothing is written), or -1. */
GUST_API int32_t gust_convert(int64_t from, int32_t from_dtype, int64_t count, int64_t to, int32_t to_dtype,
                              int64_t* out);

/* ---- tables ---------------------------------------------------------------------------------------------- */

/** Names numbered 0, 1, 2, ... in order of arrival: out[0] = names. */
GUST_API int32_t gust_names_create(int64_t* out);
GUST_API int32_t gust_names_destroy(int64_t names);
/** out[0] = how many, out[1] = their bytes. */
GUST_API int32_t gust_names_sizes(int64_t names, int64_t* out);
/** The names one after another, and where each begins (I64, names + 1). */
GUST_API int32_t gust_names_copy(int64_t names, int64_t bytes, int64_t ptr);
/** numbers (I32 [count]) of texts; unknown ones are added, or -1. */
GUST_API int32_t gust_names_number(int64_t names, int64_t bytes, int64_t ptr, int64_t count, int32_t add,
                                   int64_t numbers);

/* What becomes of a column. */
enum {
  GUST_COLUMN_SKIP = 0,
  GUST_COLUMN_TEXT = 1,
  GUST_COLUMN_INTEGER = 2,  /* I64 */
  GUST_COLUMN_NUMBER = 3,   /* F64, finite */
  GUST_COLUMN_NAME = 4,     /* I32: its number among names; new ones are added */
  GUST_COLUMN_KNOWN = 5,    /* the same, but a new one is a mistake */
  GUST_COLUMN_UNIQUE = 6,   /* the same, but an old one is a mistake */
  GUST_COLUMN_PLACE = 7     /* I64: byte offset of the field */
};
/* Mistakes in a table. */
enum {
  GUST_TABLE_COLUMNS = 1, GUST_TABLE_INTEGER = 2, GUST_TABLE_RANGE = 3, GUST_TABLE_NUMBER = 4, GUST_TABLE_FINITE = 5,
  GUST_TABLE_EMPTY = 6, GUST_TABLE_UNKNOWN = 7, GUST_TABLE_TWICE = 8, GUST_TABLE_ENCODING = 9,
  GUST_TABLE_OPEN_QUOTE = 10, GUST_TABLE_AFTER_QUOTE = 11, GUST_TABLE_RETURN = 12
};
/** Parse rows of text. dialect: first byte, delimiter (0 = runs of blanks), 1 if fields may be in quotes, character
 *  that begins a comment line (0 = none; '#' stands for '%' too), most rows (-1 = all). columns: kind and names of each.
 *  Blank lines are left out. out[0] = table, [1] = rows, [2] = byte behind the last, [3], [4] = blank and comment lines,
 *  [5] = first mistake (0 = none), [6], [7] = its bytes, [8] = its column, [9] = fields of its row. */
GUST_API int32_t gust_table_parse(int64_t address, int64_t size, const int64_t* dialect, const int64_t* columns,
                                  int64_t num_columns, int64_t* out);
/** Parse rows of any number of integers: column 0 holds them all, column 1 where each row's begin. out: as above. */
GUST_API int32_t gust_table_lists(int64_t address, int64_t size, int64_t begin, int32_t comment, int64_t* out);
/** out[0], [1] = address and length of a column (-1: byte offset of each row); of texts out[2] = where each begins,
 *  out[3] = whether each is there (BOOL: not empty, or in quotes). */
GUST_API int32_t gust_table_column(int64_t table, int64_t column, int64_t* out);
GUST_API int32_t gust_table_destroy(int64_t table);
/** out[0], out[1] = line and column (in bytes), from 1. */
GUST_API int32_t gust_text_place(int64_t address, int64_t offset, int64_t* out);
/** Texts as I64, F64 (finite) or BOOL (true, false); those that are not there become 0. strict: only as a program
 *  prints them. out[0] = first that is none, or -1. */
GUST_API int32_t gust_texts_convert(int64_t bytes, int64_t ptr, int64_t present, int64_t count, int32_t dtype,
                                    int32_t strict, int64_t values, int64_t* out);
/** Texts `rows`, one after another: out_ptr (I64 [count + 1]) is filled, and the bytes unless out_bytes is NULL. */
GUST_API int32_t gust_texts_select(int64_t bytes, int64_t ptr, int64_t rows, int64_t count, int64_t out_bytes,
                                   int64_t out_ptr);

/* ---- generate -------------------------------------------------------------------------------------------- */

/* A generator draws the edges of a random or regular graph as functions of a counter, so that no list of them is ever
 * stored. Equal arguments give equal graphs for any thread count. `directed` 0: every drawn edge is stored as both
 * arcs. `classes` 0: no labels. Seeds are any int64. out[0] = generator. */

/** Stochastic block model: balanced classes at random ids; an edge stays in its class with homophily / 2^32,
 * and in one of its class's communities with closeness / 2^32. Ends are drawn with degrees of a power law whose exponent
 * is 2 + 1 / (skew - 1), skew 1 .. 16; 1: evenly. */
GUST_API int32_t gust_generate_sbm(int64_t seed, int64_t nodes, int64_t classes, int64_t edges, int64_t homophily,
                                   int64_t communities, int64_t closeness, int64_t skew, int32_t directed,
                                   int64_t* out);
/** R-MAT on 2^scale nodes, scale 1 .. 32; d = 1 - a - b - c. `permute` shuffles the node ids. */
GUST_API int32_t gust_generate_rmat(int64_t seed, int64_t scale, int64_t edges, double a, double b, double c,
                                    int32_t permute, int32_t directed, int64_t classes, int64_t* out);
/** G(n, m): exactly `edges` distinct pairs of nodes; GUST_EINVAL if there are fewer. */
GUST_API int32_t gust_generate_erdos_renyi(int64_t seed, int64_t nodes, int64_t edges, int32_t directed,
                                           int64_t classes, int64_t* out);
/** Nodes r * cols + c; `seed` is for labels and features alone. */
GUST_API int32_t gust_generate_grid(int64_t seed, int64_t rows, int64_t cols, int32_t diagonal, int32_t torus,
                                    int64_t classes, int64_t* out);
/** Nodes r * cols + c on a torus; an edge ends in the square of side 2 reach + 1 around its first end, or anywhere with
 *  rewired / 2^32. */
GUST_API int32_t gust_generate_small_world(int64_t seed, int64_t rows, int64_t cols, int64_t edges, int64_t reach,
                                           int64_t rewired, int32_t directed, int64_t classes, int64_t* out);
GUST_API int32_t gust_generate_destroy(int64_t generator);
/** out[0] = nodes, out[1] = items that edges are drawn for. */
GUST_API int32_t gust_generate_sizes(int64_t generator, int64_t* out);
/** First pass: indptr holds nodes + 1 zeros and becomes what gust_generate_fill needs. out[0] = arcs drawn,
 *  out[1] = self-loops left out. */
GUST_API int32_t gust_generate_count(int64_t generator, int64_t indptr, int64_t* out);
/** Second pass: the graph in CSR, rows ascending without duplicates. indices has room for the arcs drawn; out[0] = arcs
 *  kept, at its begin. Memory beside the two arrays: O(arcs / 2^18). */
GUST_API int32_t gust_generate_fill(int64_t generator, int64_t indptr, int64_t indices, int32_t dtype, int64_t* out);
/** out[0] = bytes that `count` items take as text at most. */
GUST_API int32_t gust_generate_text_size(int64_t generator, int64_t count, int64_t* out);
/** Edges of items begin .. end-1 as lines "u v", each drawn edge once. out[0] = bytes, out[1] = edges. */
GUST_API int32_t gust_generate_text(int64_t generator, int64_t begin, int64_t end, int64_t buffer, int64_t* out);
/** I32[nodes]: the class, or with probability wrong / 2^32 any other; -1 with probability unlabelled / 2^32. */
GUST_API int32_t gust_generate_labels(int64_t generator, int64_t unlabelled, int64_t wrong, int64_t labels);
/** F32 rows begin .. end-1 of `cols` columns (at most 65536): class centre + noise * deviate for models with
 *  communities, else deviates; both are near-normal with mean 0 and variance 1. */
GUST_API int32_t gust_generate_features(int64_t generator, int64_t begin, int64_t end, int64_t cols, double noise,
                                        int64_t out);
/** U8[nodes, count]: label l is 1 where the mean of feature column l / (hops + 1) over walks of l mod (hops + 1) steps
 *  along the stored arcs is among the highest share / 2^32 of all nodes. `cols`, `noise` as gust_generate_features. */
GUST_API int32_t gust_generate_walk_labels(int64_t generator, int64_t indptr, int64_t indices, int32_t dtype,
                                           int64_t cols, double noise, int64_t count, int64_t hops, int64_t share,
                                           int64_t labels);
/** Draw `train` and `val` labelled nodes of each class; the rest tests. part U8[nodes]: 0 unlabelled, 1 train, 2 val,
 *  3 test; out[0..3] = how many of each. GUST_EDATA if a class is too small. */
GUST_API int32_t gust_generate_split(int64_t generator, int64_t labels, int64_t train, int64_t val, int64_t part,
                                     int64_t* out);
/** Ascending nodes begin .. end-1 of one part into nodes (I64, room for end - begin); out[0] = how many. */
GUST_API int32_t gust_generate_split_nodes(int64_t part, int64_t begin, int64_t end, int32_t which, int64_t nodes,
                                           int64_t* out);

/* ---- split ----------------------------------------------------------------------------------------------- */
/* A part (U8) per item or stored arc: 1 training, 2 validation, 3 test; 0 for the second direction of a held-out edge
 * of an undirected graph, and for what belongs to none. */

/** out[i] = bits of the element that would stand at place ranks[i] if `values` (I64 or F64 without NaN) were sorted. */
GUST_API int32_t gust_split_at_ranks(int32_t dtype, int64_t values, int64_t count, const int64_t* ranks, int64_t num_ranks,
                                     int64_t* out);
/** part = 1 up to the value with bits `train_until`, 2 up to `val_until`, 3 after it; out[0 .. 3] = how many of each. */
GUST_API int32_t gust_split_by_value(int32_t dtype, int64_t values, int64_t count, int64_t train_until, int64_t val_until,
                                     int64_t part, int64_t* out);
/** Hold out `val` and `test` edges by random numbers of (seed, "split.links") and the original ids of their ends (I64 [n],
 *  NULL: 0 .. n-1); of an undirected graph both arcs of an edge go together. Self-loops stay. Parallel arcs have one
 *  number, so that they go together and the last of a part may take more than was asked for. out[0 .. 3] = arcs per
 *  part. GUST_EDATA if there are fewer edges. */
GUST_API int32_t gust_split_links(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t ids,
                                  int32_t undirected, int64_t seed, int64_t val, int64_t test, int64_t part,
                                  int64_t* out);
/** Of parts 2 and 3, keep the direction from the smaller to the larger node alone (the other becomes 0);
 *  out[0 .. 3] = arcs per part. */
GUST_API int32_t gust_split_one_direction(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t part,
                                          int64_t* out);
/** Row pointer (I64 [n+1]) of the arcs of part `which`; out[0] = self-loops among them. */
GUST_API int32_t gust_split_indptr(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t part,
                                   int32_t which, int64_t out_indptr, int64_t* out);
/** (source, target) of the arcs of part `which` (I64 [m, 2], `room` pairs), in the order in which they are stored. */
GUST_API int32_t gust_split_pairs(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t part, int32_t which,
                                  int64_t room, int64_t pairs);
/** Copy the rows (row_bytes each) of `from` whose part (U8 [count]) is `which`; out[0] = how many. */
GUST_API int32_t gust_split_select(int64_t count, int64_t part, int32_t which, int64_t row_bytes, int64_t from,
                                   int64_t to, int64_t* out);

/* ---- links ----------------------------------------------------------------------------------------------- */
/* Links of a CSR graph (rows = targets, `dtype` of the indices) with a type per arc (I32, or NULL: none). The caller has
 * checked the arrays. ids: original ids (I64 [n]) or NULL. */

/** Links to train on: every arc but self-loops, of an undirected graph the one from the smaller original id. starts
 *  I64 [n + 1] becomes the number of the first link of each row; out[0] = how many. */
GUST_API int32_t gust_links_count(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t ids,
                                  int32_t undirected, int64_t starts, int64_t* out);
/** Their ends (I64), types (I32, or NULL) and keys (I64: 40 bits of the original ids and the type). */
GUST_API int32_t gust_links_list(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t types, int64_t ids,
                                 int32_t undirected, int64_t starts, int64_t source, int64_t target, int64_t type,
                                 int64_t key);
/** order I64 [n] = the nodes by original id. */
GUST_API int32_t gust_links_order(int64_t n, int64_t ids, int64_t order);
/** Rows of a link and `per` pairs without one: source, target I64 and type I32 [count, per + 1]. Row i is link
 *  chosen[i] (NULL: i) of link_source, link_target and link_type, and behind it come pairs of different nodes that are
 *  no link of its type. one_end: target and source are drawn anew in turn, else both. flags: 1 = rows of the graph are
 *  ascending, 2 = undirected. others I64 [num_others, 2], other_types: more links to avoid. order: of gust_links_order,
 *  NULL where ids are. The draws depend on (seed, stream, epoch), the link's original ids and type, and the column.
 *  GUST_EDATA if there is no free pair. */
GUST_API int32_t gust_links_rows(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t types, int32_t flags,
                                 int64_t others, int64_t other_types, int64_t num_others, int64_t ids, int64_t order,
                                 int64_t link_source, int64_t link_target, int64_t link_type, int64_t chosen,
                                 int64_t count, int64_t per, int32_t one_end, int64_t seed, int64_t stream,
                                 int64_t epoch, int64_t source, int64_t target, int64_t type);
/** ranks F64 [count]: place of each link by scores F32 (count, n) of every node in the place of its target (of_target)
 *  or source, among the nodes that make no known link; of equal scores half count as higher. */
GUST_API int32_t gust_links_ranks(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t types,
                                  int32_t flags, int64_t others, int64_t other_types, int64_t num_others, int64_t count,
                                  int64_t source, int64_t target, int64_t type, int32_t of_target, int64_t scores,
                                  int64_t ranks);

/* ---- sample ---------------------------------------------------------------------------------------------- */
/* Decisions are made on integers keyed by seed, stream, epoch, step, layer and original id; results depend neither on
 * threads nor on the numbering of the nodes. Node numbers and row pointers are checked where they are read
 * (GUST_EDATA). */

/** Put items[0 .. count) (I64, below num_ids) in a random order of (seed, stream, epoch) and the items' original ids
 *  (I64 [num_ids]; NULL: the items themselves). Memory: 24 bytes per item. */
GUST_API int32_t gust_sample_shuffle(int64_t count, int64_t items, int64_t num_ids, int64_t ids, int64_t seed,
                                     int64_t stream, int64_t epoch);
/** A CSR graph to sample from, whose arrays must outlive it. ids: original ids (I64) or NULL. by_position: rows are
 *  sampled in the order they are stored in, not by original id (rows sorted by time). keep_edges: batches keep arc
 *  numbers. out[0] = sampler. */
GUST_API int32_t gust_sampler_create(int64_t num_nodes, int64_t indptr, int64_t num_edges, int64_t indices,
                                     int32_t dtype, int64_t ids, int32_t by_position, int32_t keep_edges, int64_t* out);
GUST_API int32_t gust_sampler_destroy(int64_t sampler);
/** Neighbour sampling of num_batches batches, batch b with seeds[seed_ptr[b] .. seed_ptr[b+1]) (I64) as step
 *  first_step + b of the epoch: for hop h fanout[h] in-neighbours (-1: all) of every node reached so far, uniform
 *  without replacement. out[0] = batches. */
GUST_API int32_t gust_sample_neighbors(int64_t sampler, int64_t seeds, const int64_t* seed_ptr, int64_t num_batches,
                                       const int64_t* fanout, int64_t hops, int64_t seed, int64_t epoch,
                                       int64_t first_step, int64_t* out);
/** Induced subgraphs A[B, B] of nodes[node_ptr[b] .. node_ptr[b+1]) (I64); nodes in order of original ids.
 *  out[0] = batches of one square block. */
GUST_API int32_t gust_sample_induced(int64_t sampler, int64_t nodes, const int64_t* node_ptr, int64_t num_batches,
                                     int64_t* out);
/** Layer-neighbour sampling of the same batches: hop h keeps about fanout[h] in-neighbours (-1: all) of every node
 *  reached so far, by one random number per source node. importance: fixed-point iterations of the sources'
 *  probabilities; dependent: the same random numbers in every hop. Batches have arc weights. out[0] = batches. */
GUST_API int32_t gust_sample_labor(int64_t sampler, int64_t seeds, const int64_t* seed_ptr, int64_t num_batches,
                                   const int64_t* fanout, int64_t hops, int64_t importance, int32_t dependent,
                                   int64_t seed, int64_t epoch, int64_t first_step, int64_t* out);
/** Layer-wise sampling of the same batches: hop h draws sizes[h] nodes for all nodes reached so far together. weights:
 *  of the arcs, as weights_dtype, or NULL: 1. whole_graph: nodes are drawn with replacement by their importance for all
 *  nodes, else without by that for the nodes reached. normalize: rows keep the sum of their weights. Batches have arc
 *  weights. out[0] = batches. */
GUST_API int32_t gust_sample_layers(int64_t sampler, int64_t seeds, const int64_t* seed_ptr, int64_t num_batches,
                                    const int64_t* sizes, int64_t hops, int64_t weights, int32_t weights_dtype,
                                    int32_t whole_graph, int32_t normalize, int64_t seed, int64_t epoch,
                                    int64_t first_step, int64_t* out);
/** Neighbour sampling of the same batches in proportion to the weights of the arcs (as weights_dtype, 0 to 1e300, else
 *  EINVAL; NULL: uniform), with or without replacement. Batches have arc weights. out[0] = batches. */
GUST_API int32_t gust_sample_weighted(int64_t sampler, int64_t seeds, const int64_t* seed_ptr, int64_t num_batches,
                                      const int64_t* fanout, int64_t hops, int64_t weights, int32_t weights_dtype,
                                      int32_t replace, int64_t seed, int64_t epoch, int64_t first_step, int64_t* out);
/** Neighbour sampling of the same batches by kinds of arcs and time. types: kind of each arc (I32, below num_types),
 *  or NULL: all of kind 0; hop h draws fanout[kind * hops + h] in-neighbours of each kind (-1: all), uniform without
 *  replacement. times: of each arc, as times_dtype (I64 or F64), or NULL; before: of each seed, as the same. A node
 *  that was reached from a seed draws among arcs with a time below the seed's, with recent the latest of them; nodes
 *  of seeds with the same time are one node of the batch, others are not. Batches have arc weights. out[0] = batches. */
GUST_API int32_t gust_sample_by_kind(int64_t sampler, int64_t seeds, const int64_t* seed_ptr, int64_t num_batches,
                                     const int64_t* fanout, int64_t hops, int64_t num_types, int64_t types,
                                     int64_t times, int32_t times_dtype, int64_t before, int32_t recent, int64_t seed,
                                     int64_t epoch, int64_t first_step, int64_t* out);
/** Importance neighbours of the same batches: from every node reached so far `walks` random walks of up to `length`
 *  steps to in-neighbours, each step but the first left out, with all after it, with probability `stop`; hop h has
 *  the fanout[h] nodes (-1: all) that they visit most. A step from v that came from t goes back to t with weight 1 /
 *  return_p, to in-neighbours of t with 1, and elsewhere with 1 / inout_q. weights: of the arcs, as weights_dtype, or
 *  NULL. Arcs of batches are none of the graph; they have arc weights, shares of the visits times the row's sum of
 *  weights without self-loops. out[0] = batches. */
GUST_API int32_t gust_sample_visits(int64_t sampler, int64_t seeds, const int64_t* seed_ptr, int64_t num_batches,
                                    const int64_t* fanout, int64_t hops, int64_t weights, int32_t weights_dtype,
                                    int64_t walks, int64_t length, double stop, double return_p, double inout_q,
                                    int64_t seed, int64_t epoch, int64_t first_step, int64_t* out);
/** Induced subgraphs around the seeds of the same batches: of the nodes within `hops` hops, fanout[h] in-neighbours
 *  (-1: all) of each that hop h - 1 found; without hops (0) of the seed and the topk nodes of the largest
 *  personalised PageRank, see gust_sample_pagerank(). apart: every seed has a subgraph of its own, and the batch is
 *  their disjoint union; else the nodes of all seeds have one together. Seeds are the first nodes. out[0] = batches
 *  of one square block. */
GUST_API int32_t gust_sample_around(int64_t sampler, int64_t seeds, const int64_t* seed_ptr, int64_t num_batches,
                                    const int64_t* fanout, int64_t hops, double teleport, double epsilon, int64_t topk,
                                    int32_t apart, int64_t seed, int64_t epoch, int64_t first_step, int64_t* out);
/** The topk largest approximate personalised PageRanks of each of seeds[0 .. count), the walk going to in-neighbours
 *  and ending with probability `teleport` in each step: nodes (I64) and scores (F64) [count, topk] by falling score,
 *  ties by original id, counts (I64 [count]) of them. No node keeps a residual of epsilon times its in-degree or
 *  more. */
GUST_API int32_t gust_sample_pagerank(int64_t sampler, int64_t count, int64_t seeds, double teleport, double epsilon,
                                      int64_t topk, int64_t nodes, int64_t scores, int64_t counts);
/** Per batch: its level sizes (hops + 1 numbers), then the arcs of each block. */
GUST_API int32_t gust_batches_sizes(int64_t batches, int64_t* sizes);
/** The nodes of batches first .. first + count - 1 one after another, as dtype. */
GUST_API int32_t gust_batches_copy_nodes(int64_t batches, int64_t first, int64_t count, int32_t dtype, int64_t nodes);
/** Block `hop` of the same batches: indptr (rows + 1 each), indices (I32); edges (I64, or NULL) and edge_weight (F32 of
 *  the graph's weights, or NULL) need keep_edges. */
GUST_API int32_t gust_batches_copy_block(int64_t batches, int64_t first, int64_t count, int64_t hop, int64_t indptr,
                                         int64_t indices, int64_t edges, int64_t weights, int32_t weights_dtype,
                                         int64_t edge_weight);
/** The arc weights of the same block (F32), of batches that have them: how many of its row's arcs each stands for. */
GUST_API int32_t gust_batches_copy_arc_weight(int64_t batches, int64_t first, int64_t count, int64_t hop,
                                              int64_t arc_weight);
GUST_API int32_t gust_batches_destroy(int64_t batches);
/** out[0] = 1 if indptr rises from 0 to entries and all indices (I32) are below columns. */
GUST_API int32_t gust_batch_check(int64_t rows, int64_t columns, int64_t entries, int64_t indptr, int64_t indices,
                                  int64_t* out);

/* ---- subgraphs of random walks ------------------------------------------------------------------------------ */
/* A batch is the nodes that `draws` walks of `length` steps visit, a step going to a uniform in-neighbour and a walk
 * ending where there is none. Roots are drawn with replacement. Source: Zeng et al. 2020 (arXiv:1907.04931). */

/** Walks on a CSR graph, described as for gust_sampler_create(). Roots are uniform (0), or, for length 0 alone,
 *  in proportion to the squared length of their column of (D + I)^-1 (A + I) (1) or to max(1, arcs of their row) (2).
 *  out[0] = walks. */
GUST_API int32_t gust_walks_create(int64_t num_nodes, int64_t indptr, int64_t num_edges, int64_t indices, int32_t dtype,
                                   int64_t ids, int32_t by_position, int32_t roots, int64_t draws, int64_t length,
                                   int64_t* out);
GUST_API int32_t gust_walks_destroy(int64_t walks);
/** Batches first_step, first_step + 1, ... of the epoch: batch b has the distinct nodes[node_ptr[b] .. node_ptr[b+1])
 *  (I64, ascending), with room for num_batches * min(draws * (length + 1), num_nodes). */
GUST_API int32_t gust_walks_draw(int64_t walks, int64_t num_batches, int64_t seed, int64_t stream, int64_t epoch,
                                 int64_t first_step, int64_t nodes, int64_t* node_ptr);
/** Take note of num_batches induced subgraphs: their nodes (I64) and numbers of arcs (I64), one after another. */
GUST_API int32_t gust_walks_count(int64_t walks, int64_t num_batches, int64_t num_nodes, int64_t nodes,
                                  int64_t num_arcs, int64_t edges);
/** node_weight F32: 1 / P(v), arc_weight F32: P(v) / P(u and v) for an arc of row v and column u, of induced subgraphs as
 *  flat arrays: batch b has nodes (I32 or I64) and rows node_ptr[b] .. node_ptr[b+1] with arcs edge_ptr[b] ..
 *  edge_ptr[b+1], its indptr beginning at node_ptr[b] + b. In closed form for length 0 and 1, else by the subgraphs that
 *  were counted, which need the arc numbers `edges` (I64; else NULL). */
GUST_API int32_t gust_walks_weights(int64_t walks, int64_t num_batches, const int64_t* node_ptr, int64_t nodes,
                                    int32_t dtype, const int64_t* edge_ptr, int64_t indptr, int64_t indices,
                                    int64_t edges, int64_t node_weight, int64_t arc_weight);

/* ---- batches of whole graphs ------------------------------------------------------------------------------ */

/** First row in the batch of each of the graphs chosen[0 .. count) (out_ptr, count + 1) of a union of `graphs` graphs,
 *  whose rows graph_ptr gives; out[0] = rows of the batch, out[1] = entries. Checked (GUST_EDATA). */
GUST_API int32_t gust_graphs_sizes(int64_t count, int64_t chosen, int64_t graphs, int64_t graph_ptr, int64_t rows,
                                   int64_t indptr, int64_t entries, int64_t out_ptr, int64_t* out);
/** The batch: its nodes (I64), and its CSR with columns that count inside the batch; `values` (value_bytes each) may be
 *  NULL. batch_ptr is what gust_graphs_sizes wrote. An arc that leaves its graph is refused (GUST_EDATA). */
GUST_API int32_t gust_graphs_gather(int64_t count, int64_t chosen, int64_t graph_ptr, int64_t indptr, int64_t indices,
                                    int32_t dtype, int64_t values, int64_t value_bytes, int64_t batch_ptr,
                                    int64_t out_nodes, int64_t out_indptr, int64_t out_indices, int64_t out_values);

/* ---- rows ------------------------------------------------------------------------------------------------ */

/** to[i] = row index[i] of a matrix of `rows` rows of row_bytes bytes; index I32 or I64, checked (GUST_EDATA). */
GUST_API int32_t gust_rows_gather(int64_t count, int64_t index, int32_t index_dtype, int64_t rows, int64_t row_bytes,
                                  int64_t from, int64_t to);
/** Row pointer (count + 1, beginning at base) of the CSR rows index[0 .. count); out[0] = their entries. */
GUST_API int32_t gust_rows_gather_indptr(int64_t count, int64_t index, int32_t index_dtype, int64_t rows,
                                         int64_t indptr, int64_t entries, int64_t base, int64_t out_indptr,
                                         int64_t* out);
/** Entries of item_bytes bytes of the same rows (checked by gust_rows_gather_indptr), one row after another. */
GUST_API int32_t gust_rows_gather_entries(int64_t count, int64_t index, int32_t index_dtype, int64_t indptr,
                                          int64_t item_bytes, int64_t items, int64_t out_indptr, int64_t out_items);
/** out_indptr[i] = indptr[i] - indptr[0] for i = 0 .. count; indptr must rise inside 0 .. entries (GUST_EDATA). */
GUST_API int32_t gust_rows_rebase(int64_t count, int64_t indptr, int64_t entries, int64_t out_indptr);
/** Copy row_bytes bytes of each row between matrices of other row lengths (strides in bytes). */
GUST_API int32_t gust_rows_copy(int64_t rows, int64_t row_bytes, int64_t from, int64_t from_stride, int64_t to,
                                int64_t to_stride);
/** Columns first .. first + count - 1 of a CSR matrix (values F32, NULL: ones) as dense F32 [rows, count]. */
GUST_API int32_t gust_rows_columns(int64_t rows, int64_t indptr, int64_t entries, int64_t indices, int32_t dtype,
                                   int64_t values, int64_t first, int64_t count, int64_t out);
/** mean[j] and inverse_std[j] = 1 / standard deviation (F32; 0 for a constant column) of column j over the rows
 *  index[0 .. count) (I64) of a rows x cols matrix of F32, F64, F16, BF16, U8 or I8. */
GUST_API int32_t gust_rows_moments(int64_t count, int64_t index, int64_t rows, int64_t cols, int32_t dtype,
                                   int64_t from, int64_t mean, int64_t inverse_std);
/** Cache lines of 128 bytes that reading rows index[0 .. count) of a matrix at address `from` touches (negative ones are
 *  none): out[0] when every access begins at a line, out[1] when each begins where the row does. */
GUST_API int32_t gust_rows_lines(int64_t count, int64_t index, int32_t index_dtype, int64_t row_bytes, int64_t from,
                                 int64_t* out);
/** to[i] = row index[i] (row_bytes bytes) of a matrix of `rows` rows, where place[index[i]] (I32 [rows]) is not negative
 *  that row of `held`, else read of the file fd, in which row 0 begins at byte `offset`; rows that are neighbours in the
 *  file come by one read. index as in gust_rows_gather. out[0] = rows read of the file, out[1] = reads. GUST_EEOF where
 *  the file is too short. */
GUST_API int32_t gust_rows_read(int32_t fd, int64_t offset, int64_t rows, int64_t row_bytes, int64_t count,
                                int64_t index, int32_t index_dtype, int64_t place, int64_t held, int64_t to,
                                int64_t* out);
/** Row to_row[i] of `to` = row from_row[i] of `from` (I32 [count], row_bytes bytes each), inside both. */
GUST_API int32_t gust_rows_put(int64_t count, int64_t from_row, int64_t to_row, int64_t row_bytes, int64_t from,
                               int64_t to);
/** Largest absolute value (F32) of each row of an F32 matrix, and of each column: no less than what column_max held. */
GUST_API int32_t gust_rows_extremes(int64_t rows, int64_t cols, int64_t from, int64_t row_max, int64_t column_max);
/** An F32 matrix as BF16, or as I8 times a scale (F32) per row or per column (the other one NULL): -127 .. 127, to the
 *  nearest, ties to even. `to` may be NULL: only the error is wanted. out[0 .. 2] (F64) = largest absolute error, sum of
 *  squared errors, sum of squares of what was stored. */
GUST_API int32_t gust_rows_encode(int64_t rows, int64_t cols, int64_t from, int32_t dtype, int64_t row_scale,
                                  int64_t column_scale, int64_t to, double* out);
/** Set seen[row] (U8 [rows]) for every row of index; out[0] = how many were not set. */
GUST_API int32_t gust_rows_mark(int64_t count, int64_t index, int32_t index_dtype, int64_t rows, int64_t seen,
                                int64_t* out);
/** counts (I64 [rows]) += how often each row is in index. */
GUST_API int32_t gust_rows_count(int64_t count, int64_t index, int32_t index_dtype, int64_t rows, int64_t counts);

/* ---- packed rows ----------------------------------------------------------------------------------------- */
/* Rows of a feature matrix laid out for the batches of a sample, in three kinds: hot rows stay in memory, shared rows lie
 * once per segment of consecutive batches on pages of GUST_PAGE bytes that no row straddles, packed rows lie batch by
 * batch one after another, each batch from a page on. Pages are numbered: shared ones of all segments, then packed ones. */
#define GUST_PAGE 4096

/** Decide where every row of every batch lies. Batch b has nodes[node_ptr[b] .. node_ptr[b+1]) (dtype), which are checked;
 *  popularity I64 [n] or NULL (counted then). The device_rows + host_rows nodes that batches have most often are hot, the first
 *  device_rows of them come first. budget_rows: rows that may lie on disk, if that is enough; negative: no shared rows.
 *  random_order: shared rows in random order instead of min-hash order. first_byte: where the matrix begins in its file,
 *  to count the pages that reading it by rows would touch. node_ptr and nodes must outlive it. Memory: 16 bytes per node,
 *  4 per shared row, and the nodes of a batch for each thread. out[0] = pack. */
GUST_API int32_t gust_pack_create(int64_t n, int64_t batches, int64_t node_ptr, int64_t nodes, int32_t dtype,
                                  int64_t popularity, int64_t row_bytes, int64_t device_rows, int64_t host_rows,
                                  int64_t budget_rows, int32_t random_order, int64_t seed, int64_t first_byte,
                                  int64_t* out);
GUST_API int32_t gust_pack_destroy(int64_t pack);
/** out[0 .. 13] = device and host rows, batches per segment, segments, shared rows, shared pages, packed rows, packed
 *  pages, uses of device, host and shared rows by batches, pages that batches read of the shared ones, pages that they
 *  would touch in the matrix itself, nodes of all batches. */
GUST_API int32_t gust_pack_sizes(int64_t pack, int64_t* out);
/** hot I64: nodes of the hot rows, ascending in either tier; shared_ptr I64 [segments + 1] and packed_ptr I64
 *  [batches + 1]: first pages; counts I64 [batches, 3]: hot, shared and packed rows of each batch. */
GUST_API int32_t gust_pack_tables(int64_t pack, int64_t hot, int64_t shared_ptr, int64_t packed_ptr, int64_t counts);
/** Of `count` batches from `first`, batch by batch: pos I32 = positions in the batch of its hot, shared and packed rows,
 *  each group in the order in which they lie; loc I32 = numbers of its hot rows and of its segment's shared rows. Either
 *  may be NULL. */
GUST_API int32_t gust_pack_gather(int64_t pack, int64_t first, int64_t count, int64_t pos, int64_t loc);
/** Write those of the matrix's rows first .. first + rows, which lie at `from`, that lie on pages to them: page p is at
 *  byte offset + p * GUST_PAGE of fd. Rows are put once each, in ascending ranges that cover the matrix. */
GUST_API int32_t gust_pack_put(int64_t pack, int32_t fd, int64_t offset, int64_t first, int64_t rows, int64_t from);

/** Read such rows ahead, with threads of its own. Pages begin at byte `offset` of the file at `path`, of which all `size`
 *  bytes are mapped at `base` (GUST_EDATA if it is another file by now); an empty path: they are read where they are
 *  mapped. hot: hot_rows rows of row_bytes in memory, which must outlive it. direct: past the page cache where the file
 *  system does that. out[0] = reader, out[1] = how it reads: 0 = past the page cache, 1 = through it, dropped at once,
 *  2 = mapped. */
GUST_API int32_t gust_reader_create(const char* path, int64_t base, int64_t size, int64_t offset, int64_t pages,
                                    int64_t row_bytes, int64_t hot, int64_t hot_rows, int32_t direct, int64_t* out);
GUST_API int32_t gust_reader_destroy(int64_t reader);
/** Begin to read a batch into `to` (row-major, row i at position i). counts[0 .. 2]: its hot, shared and packed rows; pos
 *  and loc as gust_pack_gather made them, which are checked (GUST_EDATA) and must stay until it has been waited for; first
 *  page and number of pages of its segment's shared rows; first page of its packed rows. */
GUST_API int32_t gust_reader_start(int64_t reader, const int64_t* counts, int64_t pos, int64_t loc, int64_t shared_page,
                                   int64_t shared_pages, int64_t packed_page, int64_t to);
/** Wait for the batch that was begun first: out[0] = bytes read for it, out[1] = pages, out[2] = nanoseconds waited here,
 *  out[3] = nanoseconds that the reader has been busy in all. */
GUST_API int32_t gust_reader_wait(int64_t reader, int64_t* out);


/* ---- roofline -------------------------------------------------------------------------------------------- */

/** One pass of a = b + 3 c over float32 arrays of `count`, stores past the caches: 12 bytes move per element. a is
 *  aligned to 64 bytes. */
GUST_API int32_t gust_roofline_triad(int64_t a, int64_t b, int64_t c, int64_t count);
/** Every worker w reads bytes w * size .. (w + 1) * size - 1 of data `passes` times; size is a multiple of 512.
 *  out[0] = their sum as 64-bit words. */
GUST_API int32_t gust_roofline_read(int64_t data, int64_t size, int64_t passes, int64_t* out);
/** `passes` passes over `read` bytes of `from` and, in step with it, `write` bytes of `to`, in order; multiples of 64
 *  (0: none); `ahead` bytes of `from` are prefetched (0: none); past != 0: stores past the caches. `to` is aligned to
 *  64. out[0] is a function of what was read. */
GUST_API int32_t gust_roofline_pass(int64_t from, int64_t read, int64_t to, int64_t write, int64_t ahead, int32_t past,
                                    int64_t passes, int64_t* out);
/** Read rows indices[0 .. count-1] of a table whole, in order, `passes` times: runs of rows that fit a cache, piece
 *  by piece of `piece` bytes, prefetching the pieces of `ahead` rows (0 = none) into the cache of `level` (1 or 2).
 *  out[0] is a function of what was read. */
GUST_API int32_t gust_roofline_gather(int64_t indices, int32_t dtype, int64_t count, int64_t table,
                                      int64_t row_bytes, int64_t piece, int64_t ahead, int32_t level,
                                      int64_t passes, int64_t* out);
/** Copy bytes at .. at + piece - 1 of every row of a table to rows of `piece` bytes. */
GUST_API int32_t gust_roofline_pack(int64_t table, int64_t rows, int64_t row_bytes, int64_t piece, int64_t at,
                                    int64_t to);
/** float32 multiply-adds in registers, on every worker: out[0] = floating-point operations done. */
GUST_API int32_t gust_roofline_multiply_add(int64_t rounds, int64_t* out);

/* ---- partition ------------------------------------------------------------------------------------------- */

/** Multilevel k-way partition of the undirected simple version of a CSR matrix (`values` may be NULL; `directed`
 *  matrices are symmetrised): part (int32, n) gets 0 .. k-1, no part heavier than imbalance * ceil(n / k), or
 *  than imbalance * ceil(sum / k) by each of `num_weights` rows of n int64 `weights` if there are any, as near as the
 *  moves of single nodes come to it. `method`:
 *  0 k-way, 1 recursive bisection, 2 improve the partition that `part` holds; `effort`: 0 fast, 1 default, 2 best;
 *  `objective`: 0 a small cut, 1 from there a small communication volume. The same for any thread count. */
GUST_API int32_t gust_partition_multilevel(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t values,
                                           int32_t value_dtype, int32_t directed, int64_t weights,
                                           int32_t num_weights, int64_t k, double imbalance, int32_t method,
                                           int32_t effort, int32_t objective, int64_t seed, int64_t part);
/** Move nodes out of parts heavier than imbalance * ceil(n / k) and one into each empty part, where the cut rises least. */
GUST_API int32_t gust_partition_level(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t values,
                                      int32_t value_dtype, int32_t directed, int64_t k, double imbalance,
                                      int64_t part);
/** Write the undirected simple version as a METIS .graph file; weights as integers, scaled by a power of two where
 *  they are not whole. out[0] = edges; without any no file is written. GUST_EIO names the file. */
GUST_API int32_t gust_partition_write_metis(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t values,
                                            int32_t value_dtype, int32_t directed, const char* path, int64_t* out);
/** Read what gpmetis writes: n lines with a part (int32) below k each. GUST_EDATA names file and line. */
GUST_API int32_t gust_partition_read_metis(const char* path, int64_t n, int64_t k, int64_t part);
/** Random parts whose sizes differ by at most one; `ids` are original node ids (NULL: node numbers). */
GUST_API int32_t gust_partition_random(int64_t n, int64_t ids, int64_t k, int64_t seed, int64_t part);
/** out[0] = edges between parts, each undirected edge once; out[1] = sum over parts of distinct neighbours outside;
 *  out[2] = weight of the edges between parts (out[0] without values); out[3] = stored entries whose row and column are
 *  in one part. */
GUST_API int32_t gust_partition_statistics(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t values,
                                           int32_t value_dtype, int32_t directed, int64_t part, int64_t k,
                                           double* out);
/** Place nodes in a stream by linear deterministic greedy or, with `fennel`, by Fennel with this `gamma`: part (int32, n)
 *  gets 0 .. k-1, no part larger than imbalance * ceil(n / k), none empty. Rows are read as they are, once per pass, in
 *  `order`: 0 by number, 1 drawn, 2 breadth first along the rows; draws by `ids`, original node ids (NULL: node numbers).
 *  O(n + k) memory. */
GUST_API int32_t gust_partition_stream(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t values,
                                       int32_t value_dtype, int32_t directed, int64_t ids, int64_t k, double imbalance,
                                       int32_t fennel, double gamma, int32_t passes, int32_t order, int64_t seed,
                                       int64_t part);
/** Place nodes buffer by buffer, each in several ways and improved by `cycles` multilevel cycles with the parts so far as
 *  fixed nodes (0: Fennel's way as it is); limits, order and draws as above. Memory for n, k and the arcs of a buffer. */
GUST_API int32_t gust_partition_buffered(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t values,
                                         int32_t value_dtype, int32_t directed, int64_t ids, int64_t k,
                                         double imbalance, int64_t buffer, int32_t passes, int32_t order, int32_t cycles,
                                         int64_t seed, int64_t part);
/** Communities of high modularity by Louvain or, with `leiden`, by Leiden, again from what came out up to `rounds` times:
 *  part (int32, n) gets numbers by first appearance, without gaps. Draws by `ids` (NULL: node numbers). */
GUST_API int32_t gust_partition_communities(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t values,
                                            int32_t value_dtype, int32_t directed, int64_t ids, int32_t leiden,
                                            double resolution, int32_t rounds, int64_t seed, int64_t part);
/** out[0] = modularity of a partition of the undirected simple version; 0 without edges. */
GUST_API int32_t gust_partition_modularity(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t values,
                                           int32_t value_dtype, int32_t directed, int64_t part, int64_t k,
                                           double resolution, double* out);
/** Share out the edges of a CSR matrix: edge_part (int32, one per stored arc) gets 0 .. k-1, both copies of an undirected
 *  edge the same. By `hdrf`: high-degree replicated first with this `lambda`, at most imbalance * ceil(edges / k)
 *  per part; else by degree-based hashing, draws by `ids` (NULL: node numbers). GUST_EDATA for an undirected matrix that is not symmetric. */
GUST_API int32_t gust_partition_edges(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int32_t directed,
                                      int64_t ids, int64_t k, int32_t hdrf, double lambda, double imbalance,
                                      int64_t seed, int64_t edge_part);
/** sizes (int64, 2 k) = the edges of each part, an undirected one once, then the nodes that these touch; out[0] = nodes
 *  with edges; out[1] = nodes with edges in several parts. GUST_EDATA where the copies of an edge are in two parts. */
GUST_API int32_t gust_partition_edge_statistics(int64_t n, int64_t indptr, int64_t indices, int32_t dtype,
                                                int32_t directed, int64_t edge_part, int64_t k, int64_t sizes,
                                                int64_t* out);

/* ---- order ----------------------------------------------------------------------------------------------- */

enum {
  GUST_ORDER_PARTITION = 0, /* by node number */
  GUST_ORDER_BFS = 1,
  GUST_ORDER_RCM = 2,
  GUST_ORDER_DEGREE = 3,
  GUST_ORDER_HUB_CLUSTER = 4,
  GUST_ORDER_GORDER = 5
};
/** out (int64, n) = the nodes grouped by part (int32, below k; NULL: one part), inside each part in the order `kind` of
 *  the undirected simple version; edges between parts do not count for bfs, rcm and gorder. window, most: gorder's
 *  window and the largest degree of a neighbour that is followed. n < 2^31 - 1. */
GUST_API int32_t gust_order_nodes(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int32_t directed,
                                  int32_t kind, int64_t window, int64_t most, int64_t part, int64_t k, int64_t out);
/** place[order[i]] = i (both int64, n). GUST_EDATA where `order` is no permutation. */
GUST_API int32_t gust_order_inverse(int64_t n, int64_t order, int64_t place);
/** out[i] = place[nodes[i]] (int64). GUST_EDATA for a node out of range. */
GUST_API int32_t gust_order_renumber(int64_t count, int64_t nodes, int64_t n, int64_t place, int64_t out);
/** Row i of `count` = row rows[i] of n, columns renumbered by `place`, rows sorted if `sort`; out_indptr is that of
 *  gust_rows_gather_indptr(), from 0 on. out_edges (int64, NULL: not wanted) = where each entry was. */
GUST_API int32_t gust_order_csr(int64_t count, int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t rows,
                                int64_t place, int32_t sort, int64_t out_indptr, int64_t out_indices,
                                int64_t out_edges);
/** counts (int64, cells * cells, row-major) = entries of the matrix in each of its cells, rows and columns at `place`
 *  (int64, n; NULL: as they are). */
GUST_API int32_t gust_order_spy(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t place, int64_t cells,
                                int64_t counts);

/* ---- budgets --------------------------------------------------------------------------------------------- */

/** How many of the rows with the largest scores each layer keeps, so that their products fit a budget: greedily, from
 *  all rows with a score that is not 0, `block` rows at a time of the layer that loses the least score by it.
 *  scores (float32, layers * n, at least 0), counts (int64, n): entries per row, widths (int64, layers): multiply-adds
 *  per entry, scale (float64, layers): what the scores of a layer are multiplied by, cap: most multiply-adds.
 *  kept (int64, layers) = rows per layer, at least min(least, n); used (int64, 2) = multiply-adds of the greedy choice,
 *  and of the rows in `kept`. GUST_EDATA for scores or counts that are negative or not finite. */
GUST_API int32_t gust_allocate_rows(int64_t layers, int64_t n, int64_t scores, int64_t counts, int64_t widths,
                                    int64_t scale, int64_t cap, int64_t block, int64_t least, int64_t kept,
                                    int64_t used);

/* ---- traffic --------------------------------------------------------------------------------------------- */

/* What a row-wise product of an n x n CSR pattern reads of its right operand. Rows are walked as order[0 .. n) says
 * (int64, a permutation, NULL: by number), each in the order of its columns. GUST_EDATA for an order that is none. */

/** out[0] = columns whose row is among the `rows` different ones used last. O(nnz), by one thread. */
GUST_API int32_t gust_traffic_recent(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t order,
                                     int64_t rows, int64_t* out);
/** Clusters are order[part_ptr[c] .. part_ptr[c+1]) for c < k; each pins `rows` rows: of its own nodes those that are
 *  columns most often in the matrix, or, by_columns, of any nodes those that are columns most often, and twice or more,
 *  in the cluster's rows; of equal ones the lower nodes. out[0] = rows pinned, of all clusters; out[1] = columns whose
 *  row is pinned. O(n + nnz). */
GUST_API int32_t gust_traffic_pinned(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t order,
                                     int64_t part_ptr, int64_t k, int64_t rows, int32_t by_columns, int64_t* out);
/** Tiles of side x side entries, rows and columns taken in the order: out[0] = those with entries, out[1] = those with
 *  one or two, out[2] = bytes of all, each tile's rounded up to whole bursts. */
GUST_API int32_t gust_traffic_tiles(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t order,
                                    int64_t side, int64_t entry_bytes, int64_t burst, int64_t* out);

/* ---- products with pinned rows --------------------------------------------------------------------------- */

/** Prepare an n x n CSR pattern (n < 2^31; the columns are known to be below n) for products that copy rows of the right
 *  operand into a buffer. Cluster c < k is rows part_ptr[c] .. part_ptr[c+1] (int64) and pins up to `rows` rows, chosen as
 *  by gust_traffic_pinned(). out[0] = the layout, for gust_pinned_destroy(). It reads indptr as long as it lives, and
 *  indices no more. O(n + nnz) time, 4 bytes per entry. GUST_EDATA for a part_ptr that does not cover the rows. */
GUST_API int32_t gust_pinned_create(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t part_ptr,
                                    int64_t k, int64_t rows, int32_t by_columns, int64_t* out);
/** out[0] = rows pinned, of all clusters; out[1] = entries whose row is pinned; out[2] = rows of one cluster at most. */
GUST_API int32_t gust_pinned_sizes(int64_t layout, int64_t* out);
GUST_API int32_t gust_pinned_destroy(int64_t layout);
/** out[i] = left[i] * sum over entries e of row i of values[e] * right[column(e)] * x[column(e)] + diagonal[i] * x[i]: x
 *  and out (n, f) float32, values per entry, left, right and diagonal per node; NULL factors are 1, a NULL diagonal 0. */
GUST_API int32_t gust_pinned_multiply(int64_t layout, int64_t x, int64_t f, int64_t values, int64_t left, int64_t right,
                                      int64_t diagonal, int64_t out);
/** Lines of 64 bytes that a product with rows of row_bytes misses in a cache of cache_bytes whose sets hold `ways` lines,
 *  of which the least recently used one goes: out[0] of x and of pinned rows, out[1] of the pattern and the result. By one
 *  thread, which walks rows by number. gust_misses_pinned() is that of gust_pinned_multiply(). */
GUST_API int32_t gust_misses_rowwise(int64_t n, int64_t indptr, int64_t indices, int32_t dtype, int64_t row_bytes,
                                     int64_t cache_bytes, int64_t ways, int64_t* out);
GUST_API int32_t gust_misses_pinned(int64_t layout, int64_t row_bytes, int64_t cache_bytes, int64_t ways, int64_t* out);

#ifdef __cplusplus
}
#endif
#endif
