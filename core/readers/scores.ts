/** Scores of nodes from a file: what importance sampling draws by where training does not give it. */
import { GustError } from "../errors.ts";
import { InputFile } from "./input.ts";
import { readMatrix } from "./matrix.ts";
import { MAGIC, readNpy } from "./npy.ts";

/**
 * [numNodes] one score per node, from a .npy array or a text file of numbers.
 * @throws {GustError} (data, io) naming the place.
 */
export function readScores(path: string, numNodes: number): Float64Array {
  const file = new InputFile(path, path), { source } = file;
  const head = source.head(MAGIC.length);
  if (!MAGIC.every((byte, i) => head[i] === byte)) {
    return readMatrix(file, "F64", { title: "score", columns: 1, rows: numNodes, per: "one per node" }).array
      .read();
  }
  const array = readNpy(source, "scores", source.bytes());
  const bad = (what: string) => new GustError("data", `Cannot read scores of ${file.label}: ${what}`);
  if (array.kind !== "numbers") throw bad("it holds text, expected numbers");
  if (array.data.length !== numNodes) {
    throw bad(`it holds ${array.data.length} numbers, expected ${numNodes}, one per node`);
  }
  return Float64Array.from(array.data.toNumbers());
}
