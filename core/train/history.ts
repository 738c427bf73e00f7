/**
 * Rows of hidden layers from earlier passes, and operators that multiply by them where a batch has no rows of its own.
 *
 *   eq7:              y = L_BB x + L_BO h_O                          one product, of x above h_O
 *   control variate:  y = M (x - h_X) + L_B,BO h_BO
 *
 * B are the rows' nodes, O their neighbours outside of them, h rows of earlier passes, L the graph's operator; X are the
 * nodes of x, B and perhaps some more, and M is what stands for L there: with X = B and M = L_BB both are the same, with
 * an unbiased M the second is unbiased. Gradients flow to x alone.
 *
 * Source: Cong et al. 2020, arXiv:2006.13866, eq. 7; Chen et al. 2018, arXiv:1710.10568, eq. 5 (control variate).
 */
import { type Arena, hostArray, type TensorHandle } from "../../ffi/engine.ts";
import { NativeArray } from "../../ffi/native.ts";
import { gatherRows, type Indices } from "../../ffi/native_rows.ts";
import type { Tape } from "../tensor/autograd.ts";
import { axpby } from "../tensor/ops/axpby.ts";
import { dropout } from "../tensor/ops/dropout.ts";
import { epilogue, type EpilogueParts } from "../tensor/ops/epilogue.ts";
import { aboveRows } from "../tensor/ops/rows.ts";
import type { Operator, SparseOperator } from "../tensor/operator.ts";
import { Tensor } from "../tensor/tensor.ts";

/** What a layer gave for every node, activation applied and no dropout: (nodes, width), in memory of the host. */
export class History {
  private all: Float32Array | null = null;

  constructor(private readonly rows: NativeArray<"F32">, readonly width: number) {}

  /** Of a pass over the whole graph; it is the pass's memory where that is the host's. */
  static of({ handle }: Tensor): History {
    return new History(hostArray(handle, "F32"), handle.cols);
  }

  /** Rows of zeros. */
  static zeros(numNodes: number, width: number): History {
    return new History(NativeArray.allocate("F32", numNodes * width).reachable(), width);
  }

  /** The rows, where ops read and write them in place. */
  bind(arena: Arena): TensorHandle {
    return arena.bind(this.rows, [this.rows.length / Math.max(1, this.width), this.width]);
  }

  /** The rows of some nodes, in `arena`. */
  gather(arena: Arena, nodes: Indices): Tensor {
    const { rows, width } = this;
    const room = arena.array("F32", nodes.length * width);
    return new Tensor(arena.bind(gatherRows(rows, width, nodes, room), [nodes.length, width]));
  }

  /** Put the rows of some nodes in place of what they had. */
  put(nodes: readonly number[], handle: TensorHandle): void {
    const { rows, width } = this, from = hostArray(handle, "F32").window();
    // A window for each row costs more than the row; one may not reach over all.
    const all = this.all ??= rows.window();
    nodes.forEach((v, i) => {
      const row = from.subarray(i * width, (i + 1) * width), at = v * width;
      if (at + width <= all.length) all.set(row, at);
      else rows.window(at, width).set(row);
    });
  }
}

/** How rows of earlier passes are read: with the dropout of the layer that reads them. */
export interface HistoryRows {
  readonly rows: Tensor;
  readonly p: number;
  readonly layer: number;
  /** Original numbers of the rows' nodes. */
  readonly ids: TensorHandle;
}

const read = (tape: Tape, { rows, p, layer, ids }: HistoryRows): Tensor =>
  dropout(tape, rows, p, layer, new Tensor(ids));

/** (batch, batch + outside) times the batch's rows above those of its outside. */
export class HistoryOperator implements Operator {
  readonly addsRows = true;

  constructor(private readonly exact: SparseOperator, private readonly outside: HistoryRows) {}

  get numRows(): number {
    return this.exact.numRows;
  }
  get numCols(): number {
    return this.exact.numRows;
  }

  apply(tape: Tape, x: Tensor, ending?: EpilogueParts): Tensor {
    return this.exact.apply(tape, aboveRows(tape, x, read(tape, this.outside).handle), ending);
  }
}

/** The change of x's rows times an operator of their own, and rows of earlier passes times the exact one. */
export class ControlVariateOperator implements Operator {
  readonly addsRows = true;

  /**
   * @param exact  (batch, batch + outside)
   * @param inner  (batch, rows of x)
   * @param all    the batch's rows, then those outside.
   * @param own    those of x; by default the batch's.
   */
  constructor(
    private readonly exact: SparseOperator,
    private readonly inner: SparseOperator,
    private readonly all: HistoryRows,
    private readonly own: HistoryRows | null = null,
  ) {}

  get numRows(): number {
    return this.exact.numRows;
  }
  get numCols(): number {
    return this.inner.numCols;
  }

  apply(tape: Tape, x: Tensor, ending?: EpilogueParts): Tensor {
    const before = read(tape, this.all);
    const own = this.own
      ? read(tape, this.own)
      : new Tensor(tape.arena.rows(before.handle, 0, this.inner.numCols));
    const change = this.inner.apply(tape, axpby(tape, x, own, 1, -1));
    const y = axpby(tape, change, this.exact.apply(tape, before), 1, 1);
    return ending ? epilogue(tape, y, ending) : y;
  }
}
