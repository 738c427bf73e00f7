/** A folder with a small graph and a model, for tests of the commands that read them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { NewDocument, NewTensor } from "../../core/format/document.ts";
import { openFile } from "../../core/format/read.ts";
import { asNew, writeFile } from "../../core/format/write.ts";
import type { TypedArray } from "../../ffi/dtype.ts";
import { freshDir, gustOk, pipeline, type RunOptions, type RunResult } from "../helpers.ts";

/** Options of a run in a folder. */
export interface Folder extends RunOptions {
  readonly cwd: string;
}

/** A fresh folder with the graph `g`: 240 nodes in 3 communities, 12 features, a split. */
export function graphFolder(): Folder {
  const cwd = freshDir();
  gustOk(["generate", "sbm", "--nodes", "240", "--classes", "3", "--features", "12", "-o", "g"], { cwd });
  return { cwd };
}

/** The same, with `m`, a model of five epochs. */
export function modelFolder(): Folder {
  const here = graphFolder();
  gustOk(["train", "g", "--epochs", "5", "-o", "m"], here);
  return here;
}

export const bytesOf = ({ cwd }: Folder, name: string): Buffer => readFileSync(join(cwd, name));
export const documentOf = ({ cwd }: Folder, name: string) => openFile(join(cwd, name));
export const json = (text: string) => JSON.parse(text);

/** Run a bash line that must succeed and say nothing on stderr. */
export function quietly(line: string, here: Folder): RunResult {
  const result = pipeline(line, here);
  if (result.status !== 0 || result.stderr !== "") {
    throw new Error(`${line}: exit status ${result.status}\n${result.stderr}`);
  }
  return result;
}

/** Write `to`: a copy of the document `from` whose tensor `name` has been changed by `change`. */
export function craft<T extends TypedArray>(
  here: Folder,
  from: string,
  to: string,
  name: string,
  change: (values: T) => void,
): void {
  rewrite(here, from, to, (d) => ({
    ...d,
    tensors: d.tensors.map((tensor): NewTensor => {
      if (tensor.name !== name) return tensor;
      const values = documentOf(here, from).tensor(name).window().slice() as T;
      change(values);
      return { ...tensor, data: values };
    }),
  }));
}

/** Write `to`: the document `from` after `change`. */
export function rewrite(
  here: Folder,
  from: string,
  to: string,
  change: (d: NewDocument) => NewDocument,
): void {
  writeFile(join(here.cwd, to), change(asNew(documentOf(here, from))));
}
