/**
 * Python's safetensors opens every kind of file that gust writes. Runs where `python3 -c "import safetensors, numpy"`
 * works; GUST_PYTHON names another interpreter, GUST_REQUIRE_PYTHON=1 makes a missing one fail.
 */
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { NewDocument } from "../../../core/format/document.ts";
import { writeFile } from "../../../core/format/write.ts";
import { openNative } from "../../../ffi/native.ts";
import { freshDir, run } from "../../helpers.ts";
import { examples } from "./examples.ts";

await openNative();

const python = process.env["GUST_PYTHON"] ?? "python3";
const hasSafetensors = (() => {
  try {
    return run([python, "-c", "import safetensors, numpy"]).status === 0;
  } catch {
    return false;
  }
})();
const required = process.env["GUST_REQUIRE_PYTHON"] === "1";
const reason = `skipped: ${python} has no safetensors and numpy, set GUST_PYTHON`;

/** Prints, per file: metadata, and each tensor's dtype, shape and values; numpy has no BF16. */
const SCRIPT = `
import json, sys
from safetensors import safe_open
for path in sys.argv[1:]:
    with safe_open(path, framework="np") as f:
        tensors = {}
        for name in f.keys():
            view = f.get_slice(name)
            values = None if view.get_dtype() == "BF16" else [float(x) for x in f.get_tensor(name).reshape(-1)]
            tensors[name] = [view.get_dtype(), view.get_shape(), values]
        print(json.dumps([f.metadata(), tensors]))
`;

/** Halves of the examples: zero and powers of two. */
const half = (bits: number) => bits === 0 ? 0 : 2 ** ((bits >> 10) - 15);

const valuesOf = ({ dtype, data }: NewDocument["tensors"][number]) =>
  dtype === "BF16"
    ? null
    : Array.from(data as Float32Array, (x) => dtype === "F16" ? half(Number(x)) : Number(x));

test.skipIf(!hasSafetensors && !required)(
  `Python's safetensors opens every kind that gust writes${hasSafetensors || required ? "" : ` (${reason})`}`,
  () => {
    const dir = freshDir();
    const documents = Object.values(examples());
    const paths = documents.map((d, i) => {
      writeFile(join(dir, `${i}.safetensors`), d);
      return join(dir, `${i}.safetensors`);
    });
    writeFileSync(join(dir, "read.py"), SCRIPT);
    const result = run([python, join(dir, "read.py"), ...paths]);
    expect(result.stderr).toBe("");
    const lines = result.text.trim().split("\n").map((line) => JSON.parse(line));
    expect(lines).toHaveLength(documents.length);
    documents.forEach((d, i) => {
      const [metadata, tensors] = lines[i];
      expect(metadata["gust.kind"]).toBe(d.kind);
      expect(JSON.parse(metadata[`gust.${d.kind}`])).toEqual(JSON.parse(JSON.stringify(d.meta)));
      expect(Object.keys(tensors).sort()).toEqual(
        [...d.tensors.map(({ name }) => name), "gust.checksums"].sort(),
      );
      for (const t of d.tensors) {
        expect([t.name, ...tensors[t.name]]).toEqual([t.name, t.dtype, [...t.shape], valuesOf(t)]);
      }
    });
  },
);
