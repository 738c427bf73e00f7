import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { GustError } from "../../../core/errors.ts";
import { freshDir } from "../../helpers.ts";
import { graphOf, grid, hasMetis, partitioned } from "./_partitions.ts";

/** Run `body` with a folder that holds only this gpmetis (a shell script; null: none) and the shell as PATH. */
function withProgram(script: string | null, body: (folder: string) => void): void {
  const folder = freshDir();
  if (script !== null) {
    writeFileSync(join(folder, "gpmetis"), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, "gpmetis"), 0o755);
  }
  const { PATH, TMPDIR } = process.env;
  mkdirSync(join(folder, "tmp"));
  process.env["PATH"] = folder;
  process.env["TMPDIR"] = join(folder, "tmp");
  try {
    body(folder);
  } finally {
    process.env["PATH"] = PATH;
    if (TMPDIR === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = TMPDIR;
  }
}

function failure(body: () => void): GustError {
  try {
    body();
  } catch (error) {
    return error as GustError;
  }
  throw new Error("nothing was thrown");
}

const path = graphOf({ rows: grid(1, 6) });

test("metis says how to install gpmetis where it is missing", () => {
  withProgram(null, () => {
    const error = failure(() => partitioned(path, "metis", 2));
    expect(error).toMatchObject({ name: "GustError", code: "unsupported" });
    expect(error.message).toContain("Cannot run gpmetis");
    expect(error.hint).toContain("apt-get install metis");
  });
});

test("metis repeats what gpmetis says when it fails", () => {
  withProgram("echo 'Input Error: too sad.' >&2; exit 5", () => {
    const error = failure(() => partitioned(path, "metis", 2));
    expect(error.message).toBe("gpmetis failed with status 5: Input Error: too sad.");
  });
});

test("metis refuses a partition file that does not fit, naming the line", () => {
  for (
    const [text, message] of [["0\\n1\\n", /has 2 lines, expected 6/], [
      "0\\n1\\n2\\n0\\n0\\n0\\n",
      /line 3 is not the part/,
    ], [
      "0\\n1\\nx\\n0\\n0\\n0\\n",
      /line 3 is not the part/,
    ], ["0\\n1\\n0\\n0\\n0\\n0\\n1\\n", /line 7 is not the part/]] as const
  ) {
    withProgram(`printf '${text}' > "$3.part.$4"`, () => {
      expect(() => partitioned(path, "metis", 2)).toThrow(message);
    });
  }
});

test("metis hands over options, the undirected graph and its edge weights, and levels what comes back", () => {
  const rows = [[], [0, 1], [0], [2], []];
  const weights = [[], [3, 9], [1], [4], []];
  const graph = graphOf({ rows, weights, directed: true });
  withProgram(
    'cp=; while read -r l; do cp="$cp$l|"; done < "$3"; echo "$1 $2 $4 $cp" > "${0%/*}/seen"; printf "0\\n0\\n0\\n0\\n0\\n" > "$3.part.$4"',
    (folder) => {
      const { part, meta } = partitioned(graph, "metis", 3, { seed: 11, imbalance: 1.2 });
      const seen = new TextDecoder().decode(Bun.spawnSync(["/bin/cat", join(folder, "seen")]).stdout).trim();
      expect(seen).toBe("-ufactor=200 -seed=11 3 5 3 001|2 3 3 1|1 3|1 1 4 4|3 4||");
      const sizes = [0, 1, 2].map((p) => part.filter((q) => q === p).length);
      expect(Math.max(...sizes)).toBe(2);
      expect(meta.balance).toBe(1);
      const left = new TextDecoder().decode(Bun.spawnSync(["/bin/ls", join(folder, "tmp")]).stdout);
      expect(left).toBe("");
    },
  );
});

test.skipIf(!hasMetis)(
  hasMetis ? "metis cuts a grid well" : "metis cuts a grid well (skipped: no program gpmetis)",
  () => {
    expect(partitioned(graphOf({ rows: grid(40, 40) }), "metis", 4).meta.cut).toBeLessThanOrEqual(110);
  },
);
