/** Experiments as Makefiles: --deps tells make what a document was made from. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openNative } from "../ffi/native.ts";
import { writeKarate } from "./_karate.ts";
import { freshDir, pipeline } from "./helpers.ts";

await openNative();

describe("a Makefile", () => {
  const folder = freshDir();
  const here = { cwd: folder };
  const makefile = `
.DELETE_ON_ERROR:
karate.json: karate.graph.safetensors karate.model.safetensors
	gust eval $^ --json=$@ --min-accuracy 0.3 -q --deps $@.d
	@echo eval >> built
karate.graph.safetensors: karate.npz
	gust import $< -o $@ --deps $@.d
	@echo import >> built
karate.k4.partition.safetensors: karate.graph.safetensors
	gust partition $< -k 4 -o $@ --deps $@.d
	@echo partition >> built
karate.model.safetensors: karate.graph.safetensors karate.k4.partition.safetensors
	gust train $(filter %.safetensors,$^) --config recipe.json -o $@ --deps $@.d
	@echo train >> built
-include $(wildcard *.d)
`;
  const recipe = (epochs: number) =>
    writeFileSync(join(folder, "recipe.json"), JSON.stringify({ epochs, hidden: 4 }));
  const built = () => {
    writeFileSync(join(folder, "built"), "");
    const { status, stderr } = pipeline("make -s karate.json", here);
    expect([status, stderr]).toEqual([0, ""]);
    return readFileSync(join(folder, "built"), "utf8").split("\n").filter((line) => line).sort();
  };

  test.skipIf(!Bun.which("make"))("builds once, and again what depends on a change (needs make)", () => {
    writeKarate(join(folder, "karate.npz"));
    writeFileSync(join(folder, "Makefile"), makefile);
    recipe(3);
    expect(built()).toEqual(["eval", "import", "partition", "train"]);
    expect(JSON.parse(readFileSync(join(folder, "karate.json"), "utf8")).count).toBe(30);
    expect(built()).toEqual([]);
    // Only the rule that --deps wrote says that the model depends on the recipe.
    recipe(4);
    expect(built()).toEqual(["eval", "train"]);
    expect(built()).toEqual([]);
    pipeline("touch karate.k4.partition.safetensors", here);
    expect(built()).toEqual(["eval", "train"]);
    pipeline("touch karate.npz", here);
    expect(built()).toEqual(["eval", "import", "partition", "train"]);
    expect(built()).toEqual([]);
  });

  test.skipIf(!Bun.which("make"))(
    "stops at a rule that fails, and leaves nothing under its name (needs make)",
    () => {
      recipe(5);
      const before = statSync(join(folder, "karate.json")).mtimeMs;
      writeFileSync(join(folder, "recipe.json"), "{");
      const broken = pipeline("make -s karate.json", here);
      expect(broken.status).toBe(2);
      expect(broken.stderr).toContain('gust train: Cannot read config "recipe.json"');
      expect(statSync(join(folder, "karate.json")).mtimeMs).toBe(before);
      recipe(5);
      const missed = pipeline(
        "make -s karate.json ; sed -i 's/0[.]3/1/' Makefile; touch recipe.json; make -s karate.json",
        {
          cwd: folder,
        },
      );
      expect(missed.status).toBe(2);
      expect(missed.stderr).toContain("expected at least 1");
      expect(existsSync(join(folder, "karate.json"))).toBe(false);
    },
  );
});
