import { expect } from "bun:test";
import { dataPath, dataTest, freshDir, gustOk } from "../helpers.ts";

const here = { cwd: freshDir() };
const json = (text: string) => JSON.parse(text) as Record<string, unknown>;

dataTest("gust cache keeps sparse features and its result out of memory: coauthor_cs, 18,333 x 6,805", () => {
  gustOk(["import", dataPath("coauthor_cs/coauthor_cs.npz"), "-o", "cs"], here);
  const made = ["2G", "100M"].map((memory) =>
    json(
      gustOk(["cache", "cs", "--hops", "2", "--memory", memory, "-o", "cs.k", "--force", "--json"], here)
        .text,
    )
  );
  expect(made[1]!["digest"]).toBe(made[0]!["digest"]);
  // The result alone takes 499 MB. Beside 100 MiB for features there is the runtime, about 100 MB.
  expect(made[0]!["peak_memory_bytes"] as number).toBeGreaterThan(499e6);
  expect(made[1]!["peak_memory_bytes"] as number).toBeLessThan(250e6);
}, 120_000);
