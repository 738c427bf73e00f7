/** Documents that earlier versions wrote are read as they were meant; those of later formats are refused by name. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkDocument } from "../../../core/format/check.ts";
import { FORMAT, kinds } from "../../../core/format/document.ts";
import { openFile, setVerify } from "../../../core/format/read.ts";
import { parseHeader, serialiseHeader } from "../../../core/format/safetensors.ts";
import { schemas } from "../../../core/format/schema.ts";
import { SEAL, sealed, UNSEALED } from "../../../core/format/seal.ts";
import { openNative } from "../../../ffi/native.ts";
import { goldenFolder, questions, steps } from "../../../fixtures/golden.ts";
import { contentsOf, type GoldenContents } from "../../../fixtures/golden_contents.ts";
import { freshDir, gust, gustOk } from "../../helpers.ts";

await openNative();

const formats = readdirSync(join(goldenFolder(FORMAT), ".."));
const contents = (format: string): Record<string, GoldenContents> =>
  JSON.parse(readFileSync(join(goldenFolder(format), "contents.json"), "utf8"));

describe.each(formats)("golden files of format %s", (format) => {
  const known = contents(format), folder = goldenFolder(format);

  test.each(Object.keys(known))("%s is sound and holds what it held", (name) => {
    setVerify(true);
    try {
      const doc = openFile(join(folder, name));
      expect(checkDocument(doc)).toEqual([]);
      expect(contentsOf(doc, known[name]!.how)).toEqual(known[name]!);
    } finally {
      setVerify(false);
    }
  });

  test("are those that are listed", () => {
    const lists = ["contents.json", "answers.json"];
    expect(readdirSync(folder).sort()).toEqual([...Object.keys(known), ...lists].sort());
  });
});

describe("golden files of this format", () => {
  const known = Object.values(contents(FORMAT));

  test("are of every kind that files hold, of every layout of caches, and all that the script makes", () => {
    expect(new Set(known.map(({ kind }) => kind))).toEqual(new Set(kinds.filter((kind) => kind !== "ref")));
    const layouts = known.filter(({ kind }) => kind === "cache").map(({ meta }) => meta["layout"] as string);
    const shape = schemas["cache"]!.meta.shape as unknown as { layout: { options: string[] } };
    expect(new Set(layouts)).toEqual(new Set(shape.layout.options));
    expect(Object.keys(contents(FORMAT))).toEqual(expect.arrayContaining(steps.map(([file]) => file)));
  });

  const cwd = goldenFolder(FORMAT);
  const answers = JSON.parse(readFileSync(join(cwd, "answers.json"), "utf8"));

  test.each([...questions])("gust %s answers as it did", (question) => {
    const { metrics } = JSON.parse(gustOk([...question.split(" "), "--json", "--verify"], { cwd }).text);
    for (const [name, value] of Object.entries(answers[question])) {
      // Another instruction set adds up in another order: a few hundred roundings of float32 at most.
      if (typeof value === "number") expect([name, metrics[name]]).toEqual([name, expect.closeTo(value, 5)]);
    }
  });

  test.each([
    "train graph sample packed --epochs 1",
    "train graph sample tiers --epochs 1",
    "train graph clusters --epochs 1",
    "train graph partition --sampler cluster --epochs 1",
    "train graph propagated --model sgc --epochs 1",
    "train graph int8 --model sgc --epochs 1",
    "train graph operators --approx rsc --hidden 4 --epochs 2",
    "train graph --resume model --hidden 4 --epochs 6",
    "smooth graph prediction",
  ])("gust %s still works with them", (command) => {
    gustOk([...command.split(" "), "-q", "--verify", "-o", join(freshDir(), "out")], { cwd });
  });
});

test("a document of a later format is refused, and the message says what to do", () => {
  const bytes = new Uint8Array(readFileSync(join(goldenFolder(FORMAT), "graph")));
  const start = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const { header } = parseHeader(new TextDecoder().decode(bytes.subarray(8, start)));
  const later = String(Number(FORMAT) + 1), cwd = freshDir();
  // Of a kind that this version does not know either: the format is what it says first.
  const metadata = { ...header.metadata, [SEAL]: UNSEALED, "gust.format": later, "gust.kind": "hologram" };
  const head = sealed(serialiseHeader(metadata, header.tensors));
  writeFileSync(join(cwd, "later"), Buffer.concat([head, bytes.subarray(start)]));
  const message = `Cannot read "later": format ${later}, expected ${FORMAT}\n`;
  const hint = "hint: a newer gust wrote it: update this one\n";
  for (const [command, status] of [["inspect", 1], ["train", 1], ["inspect --check", 3]] as const) {
    const said = gust([...command.split(" "), "later"].concat(command === "train" ? ["-o", "m"] : []), {
      cwd,
    });
    expect([command, said.status]).toEqual([command, status]);
    expect(said.stderr).toContain(message);
    if (status === 1) expect(said.stderr).toContain(hint);
  }
});
