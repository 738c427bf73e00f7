/**
 * Bytes, cycles and energy of one graph convolution A (X W) on an accelerator that multiplies row by row, per way to
 * keep rows of X W on chip, and of one that works in tiles. A model: its constants are assumptions that every report
 * repeats, and what it is good for is the ratio between policies.
 *
 * Hwang et al. 2023, GROW: A Row-Stationary Sparse-Dense GEMM Accelerator for Memory-Efficient Graph Convolutional
 * Neural Networks, HPCA, arXiv:2203.00158. Energies are scaled from Horowitz 2014, ISSCC, 45 nm.
 */
import { type LayerShape, tileCycles, type TileElements } from "./traffic_tiles.ts";

/** Constants of the machine that is modelled. */
export interface Accelerator {
  readonly valueBytes: number;
  readonly indexBytes: number;
  /** Multiply-accumulates per cycle. */
  readonly lanes: number;
  /** 10^9 cycles per second. */
  readonly clockGhz: number;
  readonly dramGbS: number;
  /** Nanoseconds from the request of a row to its arrival, and misses that are under way at once. */
  readonly latencyNs: number;
  readonly runAhead: number;
  /** pJ per byte of memory, of a buffer of hundreds of KB, and of one of a few KB; pJ per multiply-accumulate. */
  readonly dramPj: number;
  readonly bufferPj: number;
  readonly smallBufferPj: number;
  readonly macPj: number;
}

/** What one product needs. */
export interface Cost {
  /** Of the sparse left operand, the dense right one and the result. */
  readonly left: number;
  readonly right: number;
  readonly out: number;
  readonly cycles: number;
  readonly picojoules: number;
}

export const bytesOf = ({ left, right, out }: Cost): number => left + right + out;

/** A product's on-chip work: what goes through large and small buffers (bytes) and the multiply-accumulates. */
interface Work {
  readonly buffer: number;
  readonly small: number;
  readonly macs: number;
  readonly computeCycles: number;
  /** Misses whose wait is not hidden by others that are under way. */
  readonly misses: number;
}

function costOf(
  m: Accelerator,
  bytes: { readonly left: number; readonly right: number; readonly out: number },
  rowBytes: number,
  { buffer, small, macs, computeCycles, misses }: Work,
): Cost {
  const total = bytes.left + bytes.right + bytes.out, bytesPerCycle = m.dramGbS / m.clockGhz;
  const wait = Math.max(0, m.latencyNs * m.clockGhz / m.runAhead - rowBytes / bytesPerCycle);
  return {
    ...bytes,
    cycles: Math.max(computeCycles, total / bytesPerCycle) + misses * wait,
    picojoules: total * m.dramPj + buffer * m.bufferPj + small * m.smallBufferPj + macs * m.macPj,
  };
}

/** Bytes of a CSR matrix as it streams in: values, indices, row pointers of 4 bytes. */
const csrBytes = (m: Accelerator, rows: number, nnz: number) =>
  nnz * (m.valueBytes + m.indexBytes) + (rows + 1) * 4;

/** Stored X row by row: with indices, or without where every element is stored. */
function inputBytes(m: Accelerator, { nodes, inWidth, nnzX }: LayerShape): number {
  return nnzX === nodes * inWidth ? nnzX * m.valueBytes : csrBytes(m, nodes, nnzX);
}

/** X W row by row: W fits on chip and is read once. */
export function rowwiseCombination(m: Accelerator, shape: LayerShape): Cost {
  const rowBytes = shape.width * m.valueBytes, left = inputBytes(m, shape);
  return costOf(
    m,
    { left, right: shape.inWidth * rowBytes, out: shape.nodes * rowBytes },
    rowBytes,
    {
      buffer: shape.nnzX * rowBytes,
      small: left + 2 * shape.nnzX * rowBytes,
      macs: shape.nnzX * shape.width,
      computeCycles: shape.nnzX * Math.ceil(shape.width / m.lanes),
      misses: 0,
    },
  );
}

/** Rows of X W that were found on chip, and those that were brought there before they were asked for. */
export interface Reuse {
  readonly hits: number;
  readonly preloaded: number;
  /** Whether a missed row is kept: it is then written to the large buffer. */
  readonly keepsMisses: boolean;
}

/** A (X W) row by row. */
export function rowwiseAggregation(m: Accelerator, shape: LayerShape, reuse: Reuse): Cost {
  const { nodes, nnzA, width } = shape, rowBytes = width * m.valueBytes;
  const misses = nnzA - reuse.hits, left = csrBytes(m, nodes, nnzA);
  const filled = reuse.preloaded + (reuse.keepsMisses ? misses : 0);
  return costOf(m, { left, right: (misses + reuse.preloaded) * rowBytes, out: nodes * rowBytes }, rowBytes, {
    buffer: (reuse.hits + filled) * rowBytes,
    small: left + (misses + 2 * nnzA) * rowBytes,
    macs: nnzA * width,
    computeCycles: nnzA * Math.ceil(width / m.lanes),
    misses,
  });
}

/**
 * Both products in tiles. The sparse operands lie in a large buffer, the dense one in a small one, partial sums in a
 * large one; whole tiles are fetched ahead, so that no wait shows.
 *
 * @param leftBytes  what the tiles of A take with their bursts.
 */
export function tiled(
  m: Accelerator,
  shape: LayerShape,
  e: TileElements,
  { tileRows, leftBytes }: { readonly tileRows: number; readonly leftBytes: number },
): { combination: Cost; aggregation: Cost } {
  const { width, nnzX, nnzA } = shape, w = m.valueBytes, rowBytes = width * w;
  const work = (nnz: number, left: number, computeCycles: number): Work => ({
    buffer: left + 2 * nnz * rowBytes,
    small: nnz * rowBytes,
    macs: nnz * width,
    computeCycles,
    misses: 0,
  });
  const x = e.x === shape.nodes * shape.inWidth ? e.x * w : e.x * (w + m.indexBytes);
  return {
    combination: costOf(
      m,
      { left: x, right: e.weights * w, out: e.hidden * w },
      rowBytes,
      work(nnzX, x, nnzX * Math.ceil(width / m.lanes)),
    ),
    aggregation: costOf(
      m,
      { left: leftBytes, right: e.right * w, out: e.out * w },
      rowBytes,
      work(nnzA, leftBytes, tileCycles(shape, tileRows, m.lanes)),
    ),
  };
}
