import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "../../core/format/read.ts";
import { openNative } from "../../ffi/native.ts";
import { freshDir, gust, gustOk, pipeline, repository } from "../helpers.ts";

await openNative();

const fixture = (name: string) => join(repository, "fixtures/typed", name);

test("gust import takes the relation numbers of another graph, and --deps names it", () => {
  const cwd = freshDir();
  writeFileSync(join(cwd, "train.tsv"), "x\tLIVES_IN\ty\nx\tKNOWS\tz\n");
  gustOk(["import", "train.tsv", "-o", "g"], { cwd });
  const args = ["--relations-from", "g", "--deps", "d"];
  gustOk(["import", fixture("triples_hrt"), ...args, "-o", "h"], { cwd });
  const [training, fitting] = [openFile(join(cwd, "g")), openFile(join(cwd, "h"))];
  expect(fitting.meta["edge_types"]).toEqual(["LIVES_IN", "KNOWS"]);
  expect(fitting.provenance[0]!.params).toMatchObject({ columns: "hrt", relations_from: training.digest });
  const rule = readFileSync(join(cwd, "d"), "utf8");
  for (const name of ["g", "train.txt", "valid.txt", "test.txt"]) {
    expect(rule).toMatch(new RegExp(`[ /]${name}\\b`));
  }
});

test("gust import reads typed data down a pipe, and inspect --check finds nothing in it", () => {
  for (const name of ["property_table.csv", "events_jodie.csv", "molecules.xyz"]) {
    const result = pipeline(`gust import < ${fixture(name)} | gust inspect --check`);
    expect({ name, status: result.status, stdout: result.text }).toEqual({ name, status: 0, stdout: "" });
  }
});

test("gust import says what it found of relations, links and properties", () => {
  const cwd = freshDir();
  const kg = gustOk(["import", fixture("triples_rht"), "-v", "-o", "g"], { cwd });
  expect(kg.stderr).toContain(
    "column 1 holds the relations (2 names; heads 3, tails 5); --columns overrides",
  );
  expect(kg.stderr).toContain(", 2 edge types, 1 val link, 2 test links, digest");
  const lpg = gustOk(["import", fixture("property_import"), "-v", "-o", "h"], { cwd });
  expect(lpg.stderr).toContain(", 2 node types, 2 relations, digest");
});

test("gust import names the file of a folder in which the mistake is, and leaves no file", () => {
  const cwd = freshDir();
  const result = gust(["import", join(repository, "fixtures/bad/openke_gap"), "-o", "g"], { cwd });
  expect(result.status).toBe(1);
  expect(result.stderr).toContain(
    "openke_gap/entity2id.txt:7:5: number 6 of the entity, expected 0 to 5, each once",
  );
  const wrong = gust(["import", fixture("events.txt"), "--columns", "hrt", "-o", "g"], { cwd });
  expect(wrong.status).toBe(2);
  expect(wrong.stderr).toContain('--columns does not apply to format "events", only to triples');
});

test("gust import --homogeneous: relations are what gust sample draws by", () => {
  const cwd = freshDir();
  gustOk(["import", fixture("property_lines.json"), "--homogeneous", "-o", "g"], { cwd });
  const graph = openFile(join(cwd, "g"));
  expect(graph.meta["edge_types"]).toEqual(["KNOWS", "LIVES_IN"]);
  expect(graph.provenance[0]!.params).toMatchObject({ homogeneous: true });
  const { status, text } = pipeline(
    `gust import ${fixture("property_lines.json")} --homogeneous -q | ` +
      `gust sample --split all --fanout 0 --type-fanout KNOWS=1 -o s && gust inspect s --json`,
    { cwd },
  );
  expect({ status, text }).toMatchObject({ status: 0 });
  // An arc of KNOWS for every node that has one, and none of LIVES_IN.
  const types = graph.tensor("edge_type").toNumbers(), ptr = graph.tensor("indptr").toNumbers();
  const known = ptr.slice(1).filter((end, v) => types.slice(ptr[v], end).includes(0)).length;
  expect(openFile(join(cwd, "s")).spec("block0.indices").shape).toEqual([known]);
});

test("gust import --homogeneous wants a typed graph, and commands that want another say how to get it", () => {
  const cwd = freshDir();
  const refused = gust(["import", fixture("triples_hrt"), "--homogeneous", "-o", "g"], { cwd });
  expect(refused.status).toBe(2);
  expect(refused.stderr).toContain("has nodes of one type, expected a typed graph");
  gustOk(["import", fixture("interactions"), "-o", "h"], { cwd });
  for (const command of ["sample", "split", "train"]) {
    const { status, stderr } = gust([command, "h", "-o", "x"], { cwd });
    expect(status).toBe(1);
    expect(stderr).toContain("gust import --homogeneous");
  }
});
