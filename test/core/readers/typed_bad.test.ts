import { expect, test } from "bun:test";
import { GustError } from "../../../core/errors.ts";
import { openNative } from "../../../ffi/native.ts";
import { typedBad } from "../../../fixtures/typed_bad.ts";
import { fileOf, fixture, importFile, messageOf, type Options, refusal } from "./_import.ts";

await openNative();

const format = (name: string): Options => ({ format: name });

/** File or folder, the file that the message must name, what it must say behind that name, options. */
const cases: [name: string, file: string, says: string, options?: Options][] = [
  ["triples_short.tsv", "", ":2:1: 2 columns, expected 3 (head, relation, tail)", format("triples")],
  ["triples_long.tsv", "", ":2:1: 4 columns, expected 3 (head, relation, tail)", format("triples")],
  ["triples_empty_name.tsv", "", ":2:3: relation is empty, expected a name"],
  ["triples_latin1.tsv", "", ':2:1: head "José" is not UTF-8, expected UTF-8 text'],
  ["triples_binary.tsv", "", ':2:3: relation "li?kes" is not UTF-8', format("triples")],
  ["triples_header.tsv", "", ":3:1: the header again, expected a triple"],

  ["openke_count", "train2id.txt", ":1:1: the first line says 3 rows, but 2 follow"],
  ["openke_no_count", "train2id.txt", ':1:1: "0 1 0", expected the count of the rows that follow'],
  ["openke_gap", "entity2id.txt", ":7:5: number 6 of the entity, expected 0 to 5, each once"],
  [
    "openke_twice",
    "entity2id.txt",
    ":7:5: number 4 of the entity is there twice, expected 0 to 5, each once",
  ],
  ["openke_entity", "test2id.txt", ":2:3: tail 6 is not in entity2id.txt, expected 0 to 5"],
  ["openke_relation", "test2id.txt", ":2:5: relation 2 is not in relation2id.txt, expected 0 to 1"],
  ["openke_short", "valid2id.txt", ":2:1: 2 columns, expected 3 (head, tail, relation)"],
  ["openke_name", "valid2id.txt", ':2:3: tail "bob" is not an integer, expected decimal digits'],
  [
    "openke_constrain",
    "type_constrain.txt",
    ":3:1: 3 numbers, expected a relation, a count, and as many entities",
  ],

  ["interactions_name.txt", "", ':2:5: id "x" is not an integer', format("interactions")],
  [
    "interactions_negative.txt",
    "",
    ":2:1: item -3 (number 2 of its line), expected ids from 0",
    format("interactions"),
  ],
  ["interactions_zero.txt", "", ":2:1: item 0 (number 2 of its line), expected ids from 1", { indexBase: 1 }],
  ["interactions_huge.txt", "", ':2:3: id "99999999999999999999" is too large', format("interactions")],

  ["events_short.txt", "", ":2:1: 2 columns, expected 3 (source, target, time)", format("events")],
  ["events_long.txt", "", ":2:1: 4 columns, expected 3 (source, target, time)", format("events")],
  [
    "events_unsorted.txt",
    "",
    ":3:5: time 11 comes behind 12, expected events sorted by time",
    format("events"),
  ],
  ["events_nan.txt", "", ':2:5: time "nan" is not finite, expected a number', format("events")],
  ["events_feature.txt", "", ':2:8: feature 1 "inf" is not finite', format("events")],
  ["events_id.txt", "", ':2:3: target "two" is not an integer', format("events")],
  ["events_zero.txt", "", ":2:3: target 0 is out of range, expected ids from 1", {
    ...format("events"),
    indexBase: 1,
  }],
  ["events_header.csv", "", ':4:1: source "u" is not an integer', format("events")],
  ["events_columns.csv", "", ':1:1: the columns "u", "i", "when" name no time', format("events")],

  [
    "clutrr_quote.csv",
    "",
    ':2:22: "(" behind the closing quote, expected a delimiter or the end of the line',
  ],
  ["clutrr_literal.csv", "", ':2:4: story_edges: the end at character 8, expected "," or "]"'],
  ["clutrr_pair.csv", "", ":2:4: story_edges: expected a list of pairs of numbers below 2^24"],
  ["clutrr_types.csv", "", ":2:23: edge_types: 1 types, expected one per edge (2)"],
  ["clutrr_columns.csv", "", ":2:1: 5 columns, expected 6 (row number, story_edges"],
  ["clutrr_target.csv", "", ":2:33: target: nothing, expected the name of a relation"],
  ["clutrr_task.csv", "", ':2:37: task_name: "task", expected a name that ends in a number'],
  ["clutrr_missing.csv", "", ':1:1: no column "target"', format("clutrr")],

  ["count.xyz", "", ':1:1: "two", expected the number of atoms of a frame', format("xyz")],
  ["short.xyz", "", ":4:1: 3 columns, expected 4 (species, pos[0], pos[1], pos[2])"],
  ["long.xyz", "", ":3:1: 5 columns, expected 4 (species, pos[0], pos[1], pos[2])"],
  ["ends.xyz", "", ":4:1: the file ends after 1 of 2 atoms of frame 1"],
  ["nan.xyz", "", ':4:5: pos[1] "NaN" is not finite, expected a number'],
  ["element.xyz", "", ':4:1: species "Qq", expected the symbol of an element'],
  ["energy.xyz", "", ':2:32: energy: "low", expected 1 number'],
  ["lattice.xyz", "", ':2:1: Lattice: "1 0 0 0 1 0", expected 9 numbers'],
  ["properties.xyz", "", ':2:1: Properties: "pos:R", expected NAME:R|I|L|S:COLUMNS'],
  ["quote.xyz", "", ':2:1: "config="open" is no key=value pair'],
  ["pbc.xyz", "", ':2:32: pbc: "T F", expected three of T and F'],

  ["property_dangling", "r.csv", ':3:3: :END_ID "c" is unknown, expected the :ID of a node'],
  ["property_twice", "n.csv", ':4:1: id :ID "a" is there twice, expected every node once'],
  ["property_type", "n.csv", ':3:3: age "old", expected an integer'],
  ["property_nan", "n.csv", ':3:3: age "NaN", expected a finite number'],
  ["property_columns", "n.csv", ":3:1: 2 columns, expected 3 (id :ID, age:int, :LABEL)"],
  ["property_quote", "n.csv", ':3:3: a quote without an end, expected a closing "'],
  ["property_after_quote", "n.csv", ':3:4: "x" behind the closing quote'],
  ["property_no_type", "r.csv", ":1:1: no column :TYPE, and the name of the file gives none"],
  ["property_group", "r.csv", ":1:1: :START_ID: no node file has ids of this group, expected (P)"],
  ["property_header", "n.csv", ':1:1: the header names "age:int" twice, expected different columns'],
  [
    "property_disagree",
    "",
    "property age of Person has the types I64 and F64 in different files, expected one",
  ],
  [
    "property_table_both.csv",
    "",
    ":3:1: the row fills both _id and _start, expected a node or a relationship",
  ],
  ["property_table_neither.csv", "", ":3:1: the row fills neither _id nor _start"],
  ["property_table_twice.csv", "", ":3:1: _id is there twice, expected every node once"],
  ["property_table_dangling.csv", "", ":3:6: _end is unknown, expected the _id of a node"],
  ["property_table_type.csv", "", ":3:8: _type is empty, expected the type of the relationship"],
  ["property_syntax.json", "", ':2:25: expected """, expected JSON'],
  ["property_dangling.json", "", ':2:1: end "b" is unknown, expected the id of a node'],
  ["property_twice.json", "", ':2:1: id "a" is there twice, expected every node once'],
  ["property_label.json", "", ':2:1: no "label", expected the type of the relationship'],
  ["property_overflow.json", "", ':1:1: property "age" has a number that no float64 holds'],
  ["property_kind.json", "", ':2:1: type "edge", expected "node" or "relationship"'],
  ["property_latin1.json", "", ":2:1: the text that begins here is not UTF-8, expected UTF-8 text"],
  ["property_object.json", "", ': nodes[0]: "labels", expected a list of names'],
];

for (const [name, file, says, options] of cases) {
  test(`importGraph() refuses bad/${name} and names the place`, () => {
    const wanted = says.startsWith(":") ? `${file || name}${says}` : says;
    expect(refusal(`bad/${name}`, options)).toContain(wanted);
  });
}

test("typed_bad.test.ts has a case for every file of fixtures/typed_bad.ts", () => {
  const tops = new Set(Object.keys(typedBad).map((name) => name.split("/")[0]!));
  expect([...tops].filter((name) => !cases.some(([known]) => known === name))).toEqual([]);
});

test("properties have 64 levels, and a number beyond float64 is found at any of them", () => {
  // The properties, their lists, and the number in the last of them.
  const nested = (levels: number, number: string) =>
    fileOf(
      `{"type":"node","id":"a","properties":{"x":1,"y":${"[".repeat(levels)}${number}${
        "]".repeat(levels)
      }}}\n`,
    );
  const read = (path: string) => messageOf(() => importFile(path, { format: "property-graph" }));
  expect(() => importFile(nested(62, "1"), { format: "property-graph" })).not.toThrow();
  expect(read(nested(64, "1"))).toContain(':1:1: "properties" nested deeper than 64 levels');
  expect(read(nested(64, "1e999"))).toContain("nested deeper");
  for (const levels of [0, 1, 62]) {
    expect(read(nested(levels, "-1e999"))).toContain('property "y" has a number that no float64 holds');
  }
});

test("readers of typed data name UTF-16, and say how to convert it", () => {
  const utf16 = Buffer.from("\ufeffa\tlikes\tb\n", "utf16le");
  for (const name of ["triples", "events", "interactions", "clutrr", "xyz"]) {
    expect(messageOf(() => importFile(fileOf(utf16), { format: name }))).toContain(
      "begins with the byte order mark of UTF-16, expected UTF-8",
    );
  }
});

test("readers of typed data refuse noise and empty files by name", () => {
  const noise = Uint8Array.from({ length: 4096 }, (_, i) => (i * 7919 + (i >> 3) * 104729) & 255);
  for (const name of ["triples", "events", "interactions", "clutrr", "xyz", "property-graph"]) {
    for (const content of [noise, ""]) {
      const path = fileOf(content);
      let caught: unknown;
      try {
        importFile(path, { format: name });
      } catch (error) {
        caught = error;
      }
      expect({ name, isError: caught instanceof GustError, code: (caught as GustError).code }).toEqual({
        name,
        isError: true,
        code: "data",
      });
      expect((caught as GustError).message).toContain(path);
    }
  }
});

test("formats whose nodes are names refuse options that number nodes", () => {
  expect(messageOf(() => importFile(fixture("typed/openke"), { indexBase: 1 }))).toBe(
    "--index-base does not apply to entities with a dictionary",
  );
  expect(messageOf(() => importFile(fixture("typed/interactions"), { numNodes: 3 }))).toContain(
    "--num-nodes does not apply to interactions",
  );
  expect(messageOf(() => importFile(fixture("typed/property_import"), { symmetrize: true }))).toContain(
    "--symmetrize does not apply to a typed graph",
  );
});
