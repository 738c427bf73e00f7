/**
 * safetensors files that other programs wrote: named tensors around `edge_index` (see edge_index.ts).
 * Source: huggingface/safetensors, README, "Format".
 */
import { NativeArray } from "../../ffi/native.ts";
import type { Source } from "../../ffi/native_source.ts";
import { headerBytes, LENGTH_BYTES, readHeader, truncated } from "../format/container.ts";
import { countOf, type Header, isDType } from "../format/safetensors.ts";
import { readEdgeIndex, refuseIndexBase } from "./edge_index.ts";
import { aligned, type NpyArray } from "./npy.ts";
import { Arrays, type ArrayStore } from "./npz_arrays.ts";
import { dataError, fileReader, type RawGraph, type ReadOptions } from "./reader.ts";

/** The file's header and where its data begin. */
function headerOf(source: Source): { header: Header; dataStart: number } {
  const length = headerBytes(source.head(LENGTH_BYTES), source.label);
  const rest = source.sizeBytes - LENGTH_BYTES;
  if (length > rest) {
    throw dataError(source, `truncated: the header lacks ${length - rest} of its ${length} bytes`);
  }
  const header = readHeader(source.bytes().window(LENGTH_BYTES, length), source.label);
  const dataStart = LENGTH_BYTES + length, got = source.sizeBytes - dataStart;
  if (got < header.dataBytes) throw truncated(header, got, source.label);
  if (got > header.dataBytes) {
    throw dataError(
      source,
      `${got - header.dataBytes} bytes follow the last tensor, expected the end of the file`,
    );
  }
  return { header, dataStart };
}

function storeOf(source: Source): ArrayStore {
  const { header, dataStart } = headerOf(source);
  return {
    names: header.tensors.map(({ name }) => name),
    read(name): NpyArray {
      const { dtype, shape, begin, end } = header.tensors.find((t) => t.name === name)!;
      if (!isDType(dtype)) {
        throw dataError(source, `tensor "${name}" has elements of type ${dtype}, expected numbers`);
      }
      const bytes = source.bytes().slice(dataStart + begin, end - begin);
      const count = countOf(shape)!;
      return {
        name,
        shape,
        kind: "numbers",
        data: count === 0 ? NativeArray.allocate(dtype, 0) : aligned(bytes, 0, dtype, count),
      };
    },
  };
}

/** A header is looked for by its first bytes: `{` behind a length below 2^32, with a tensor called edge_index. */
function sniff(source: Source): boolean {
  const head = source.head(1 << 16);
  if (head.length < 16 || head[8] !== 0x7b || head.subarray(4, 8).some((byte) => byte !== 0)) return false;
  const text = new TextDecoder().decode(head.subarray(8));
  return text.includes('"edge_index"') && !text.includes('"gust.kind"');
}

function read(source: Source, options: ReadOptions): RawGraph {
  refuseIndexBase(options, "safetensors");
  const arrays = new Arrays(source, storeOf(source));
  if (arrays.has("edge_index")) return readEdgeIndex(arrays, options);
  throw dataError(
    source,
    `no graph among the tensors ${
      arrays.names.join(", ") || "(none)"
    }, expected edge_index (2, E) with x, y, train_mask`,
    "gust inspect shows what a gust document holds",
  );
}

export const safetensors = fileReader({
  name: "safetensors",
  summary: "safetensors of another program: edge_index with x, y, masks, edge_weight, edge_attr",
  source: "huggingface/safetensors; torch_geometric.data.Data",
  sniff,
  read,
});
