/**
 * The plain functions of cu/include/gust.h, as data. `bun.ts` and `deno.ts` each translate this table; a test parses
 * the header and fails when the two disagree.
 *
 * Argument kinds: `i32`, `i64`, `f64`; `addr` = a native address as a number (0 = NULL), declared int64_t in the
 * header; `buf` = a typed array whose bytes the callee reads or writes during the call, declared as a pointer.
 * Results: `status` (int32_t, negative = failed), `i32`, `i64`.
 */

export type ArgKind = "i32" | "i64" | "f64" | "addr" | "buf";
export type ResultKind = "status" | "i32" | "i64";
export interface SymbolRow {
  readonly args: readonly ArgKind[];
  readonly result: ResultKind;
}

const status = <const A extends readonly ArgKind[]>(...args: A) => ({ args, result: "status" } as const);

export const symbols = {
  gust_abi_version: { args: [], result: "i32" },
  gust_last_error: { args: ["buf", "i64"], result: "i64" },
  gust_describe: { args: ["buf", "i64"], result: "i64" },
  gust_set_num_threads: status("i32"),
  gust_num_threads: { args: [], result: "i32" },
  gust_set_isa: status("buf"),

  gust_alloc: status("i64", "i32", "buf"),
  gust_free: status("addr", "i64"),
  gust_copy: status("addr", "addr", "i64"),
  gust_memory: status("buf"),

  gust_context_create: status("i32", "buf"),
  gust_context_destroy: status("addr"),
  gust_context_step_block: status("addr", "buf"),
  gust_arena_create: status("addr", "buf"),
  gust_arena_reset: status("addr", "i32"),
  gust_arena_destroy: status("addr", "i32"),
  gust_tensor_create: status("addr", "i32", "i32", "i64", "i64", "i32", "buf"),
  gust_tensor_bind: status("addr", "i32", "i32", "i64", "i64", "addr", "buf"),
  gust_tensor_rebind: status("addr", "i64", "i64", "i64", "addr"),
  gust_tensor_destroy: status("addr", "i64"),
  gust_run: status("addr", "buf", "i64"),

  gust_file_map: status("buf", "buf"),
  gust_fd_map: status("i32", "i64", "i64", "buf"),
  gust_mapping_close: status("addr"),
  gust_fd_read: status("i32", "buf", "i64", "buf"),
  gust_fd_seek: status("i32", "i64", "i32", "buf"),
  gust_spool: status("i32", "buf", "i64", "i64", "i64", "buf"),
  gust_writer_create: status("i32", "buf"),
  gust_writer_destroy: status("addr"),
  gust_writer_put: status("addr", "addr", "i64"),
  gust_writer_put_array: status("addr", "buf", "i64"),
  gust_writer_take_hash: status("addr", "buf"),
  gust_hash: status("addr", "i64", "buf"),
  gust_temporary_add: status("buf", "buf"),
  gust_temporary_remove: status("i64"),

  gust_check_finite: status("i32", "addr", "i64", "buf"),
  gust_check_range: status("i32", "addr", "i64", "i64", "i64", "buf"),
  gust_check_ascending: status("i32", "addr", "i64", "i32", "buf"),
  gust_check_rows: status("addr", "i64", "i64", "i32", "addr", "i32", "buf"),
  gust_check_bounded: status("addr", "i64", "i64", "i32", "addr", "addr", "addr", "buf"),
  gust_check_permutation: status("addr", "i64", "buf"),
  gust_check_grouped: status("addr", "i64", "addr", "addr", "i64", "buf"),
  gust_check_disjoint: status("addr", "addr", "i64", "buf"),
  gust_check_no_common: status("addr", "i64", "addr", "i64", "buf"),
  gust_check_symmetric: status("addr", "i64", "i64", "i32", "addr", "buf"),
  gust_graph_stats: status("addr", "i64", "i64", "i32", "addr", "buf"),

  gust_csr_count_self_loops: status("i64", "addr", "addr", "i32", "buf"),
  gust_csr_without_self_loops: status("i64", "addr", "addr", "i32", "addr", "i32", "addr", "addr", "addr"),
  gust_csr_with_self_loops: status("i64", "addr", "addr", "i32", "addr", "addr"),
  gust_csr_two_hops: status("i64", "addr", "addr", "i32", "addr", "addr"),
  gust_csr_is_symmetric: status("i64", "addr", "addr", "i32", "buf"),

  gust_source_open: status("buf", "buf"),
  gust_text_shape: status("addr", "i64", "i64", "buf"),
  gust_edges_parse: status("addr", "i64", "buf", "buf", "buf"),
  gust_edges_parse_metis: status("addr", "i64", "buf", "addr", "addr", "buf"),
  gust_edges_from_pairs: status("addr", "addr", "i64", "i32", "i64", "buf"),
  gust_edges_from_csr: status("i64", "addr", "addr", "i32", "addr", "i32", "buf"),
  gust_edges_relabel: status("addr", "buf"),
  gust_edges_original_ids: status("addr", "addr"),
  gust_edges_names: status("addr", "addr", "addr"),
  gust_edges_weights: status("addr", "addr", "buf"),
  gust_edges_destroy: status("addr"),
  gust_build_create: status("addr", "i64", "i64", "i32", "buf"),
  gust_build_listed: status("addr", "i64", "i64", "i32", "addr", "i32", "buf"),
  gust_build_destroy: status("addr"),
  gust_csr_asymmetry: status("i64", "addr", "addr", "i32", "addr", "i32", "buf"),
  gust_csr_components: status("i64", "addr", "addr", "i32", "addr", "buf"),
  gust_rows_of_label: status("addr", "i64", "i64", "addr", "addr"),
  gust_csr_isolated: status("i64", "addr", "addr", "i32", "buf"),
  gust_csr_select_sizes: status("addr", "addr", "i64", "addr"),
  gust_csr_select: status(
    "addr",
    "addr",
    "i32",
    "addr",
    "i32",
    "addr",
    "i64",
    "addr",
    "addr",
    "addr",
    "addr",
  ),
  gust_rows_select: status("addr", "i64", "addr", "i64", "addr"),
  gust_unzip: status("addr", "i64", "i32", "i64", "addr", "i64"),
  gust_swap_bytes: status("addr", "i64", "i32"),
  gust_transpose: status("addr", "i64", "i64", "i32", "addr"),
  gust_convert: status("addr", "i32", "i64", "addr", "i32", "buf"),

  gust_generate_sbm: status("i64", "i64", "i64", "i64", "i64", "i32", "buf"),
  gust_generate_rmat: status("i64", "i64", "i64", "f64", "f64", "f64", "i32", "i32", "i64", "buf"),
  gust_generate_erdos_renyi: status("i64", "i64", "i64", "i32", "i64", "buf"),
  gust_generate_grid: status("i64", "i64", "i64", "i32", "i32", "i64", "buf"),
  gust_generate_destroy: status("addr"),
  gust_generate_sizes: status("addr", "buf"),
  gust_generate_count: status("addr", "addr", "buf"),
  gust_generate_fill: status("addr", "addr", "addr", "i32", "buf"),
  gust_generate_text_size: status("addr", "i64", "buf"),
  gust_generate_text: status("addr", "i64", "i64", "addr", "buf"),
  gust_generate_labels: status("addr", "i64", "addr"),
  gust_generate_features: status("addr", "i64", "i64", "i64", "f64", "addr"),
  gust_generate_split: status("addr", "addr", "i64", "i64", "addr", "buf"),
  gust_generate_split_nodes: status("addr", "i64", "i64", "i32", "addr", "buf"),

  gust_sample_shuffle: status("i64", "addr", "i64", "addr", "i64", "i64"),
  gust_sampler_create: status("i64", "addr", "i64", "addr", "i32", "addr", "i32", "i32", "buf"),
  gust_sampler_destroy: status("addr"),
  gust_sample_neighbors: status("addr", "addr", "buf", "i64", "buf", "i64", "i64", "i64", "i64", "buf"),
  gust_sample_induced: status("addr", "addr", "buf", "i64", "buf"),
  gust_batches_sizes: status("addr", "buf"),
  gust_batches_copy_nodes: status("addr", "i64", "i64", "i32", "addr"),
  gust_batches_copy_block: status("addr", "i64", "i64", "i64", "addr", "addr", "addr", "addr", "i32", "addr"),
  gust_batches_destroy: status("addr"),
  gust_batch_check: status("i64", "i64", "i64", "addr", "addr", "buf"),

  gust_rows_gather: status("i64", "addr", "i32", "i64", "i64", "addr", "addr"),
  gust_rows_gather_indptr: status("i64", "addr", "i32", "i64", "addr", "i64", "i64", "addr", "buf"),
  gust_rows_gather_entries: status("i64", "addr", "i32", "addr", "i64", "addr", "addr", "addr"),
  gust_rows_rebase: status("i64", "addr", "i64", "addr"),
  gust_rows_copy: status("i64", "i64", "addr", "i64", "addr", "i64"),
  gust_rows_columns: status("i64", "addr", "i64", "addr", "i32", "addr", "i64", "i64", "addr"),
  gust_rows_moments: status("i64", "addr", "i64", "i64", "i32", "addr", "addr", "addr"),
  gust_rows_mark: status("i64", "addr", "i32", "i64", "addr", "buf"),

  gust_roofline_triad: status("addr", "addr", "addr", "i64"),
  gust_roofline_read: status("addr", "i64", "i64", "buf"),
  gust_roofline_gather: status("addr", "i32", "i64", "addr", "i64", "i64", "i64", "i64", "buf"),
  gust_roofline_multiply_add: status("i64", "buf"),

  gust_partition_multilevel: status(
    "i64",
    "addr",
    "addr",
    "i32",
    "addr",
    "i32",
    "i32",
    "i64",
    "f64",
    "i32",
    "i64",
    "addr",
  ),
  gust_partition_level: status("i64", "addr", "addr", "i32", "addr", "i32", "i32", "i64", "f64", "addr"),
  gust_partition_write_metis: status("i64", "addr", "addr", "i32", "addr", "i32", "i32", "buf", "buf"),
  gust_partition_read_metis: status("buf", "i64", "i64", "addr"),
  gust_partition_random: status("i64", "addr", "i64", "i64", "addr"),
  gust_partition_statistics: status("i64", "addr", "addr", "i32", "addr", "i32", "i32", "addr", "i64", "buf"),
} as const satisfies Record<string, SymbolRow>;

export type SymbolName = keyof typeof symbols;
