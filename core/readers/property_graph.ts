/**
 * Labelled property graphs: nodes with labels and properties, relationships with types and properties. Three forms are
 * read: CSV files with the headers of neo4j-admin import (:ID, :LABEL, name:type; :START_ID, :END_ID, :TYPE), one CSV
 * table as a database exports it (_id, _labels, ..., _start, _end, _type), and JSON: lines or lists of
 * {"type": "node" | "relationship"}, or {"nodes": [...], "relationships" | "rels": [...]}.
 *
 * Gives a typed graph: a node's type is its first label, types in the order of the alphabet; a relation is a relationship
 * type, or Source-TYPE-Target where one type joins several pairs of labels. Properties stay what they are, as typed
 * columns extra/node/TYPE/NAME (row = node of the type) and extra/rel/RELATION/NAME (row = edge_ids of an arc); see
 * typed_columns.ts. Types come from the headers, from the values of a table, or from JSON; dates and lists stay texts.
 * Source: Neo4j operations manual, neo4j-admin database import; APOC manual, apoc.export.csv and apoc.export.json.
 */
import { GustError } from "../errors.ts";
import type { InputFile, InputSet } from "./input.ts";
import { firstLines, refuseNumbering } from "./parts.ts";
import { importFields, readImportFiles } from "./property_csv.ts";
import { isExportJson, readJson } from "./property_json.ts";
import { assemble } from "./property_parts.ts";
import { exportFields, readExportTable } from "./property_table.ts";
import type { RawGraph, Reader, ReadOptions } from "./reader.ts";
import { isText } from "./text.ts";

type Form = "import" | "table" | "json";
const CSV = /\.(csv|tsv)(\.gz|\.zst)?$/i;

/** Which form a file has; null for none. */
function formOf({ source }: InputFile): Form | null {
  if (!isText(source)) return null;
  if (isExportJson(source)) return "json";
  const [header] = firstLines(source, 1);
  if (!header) return null;
  if (importFields(header.text)) return "import";
  return exportFields(header.text) ? "table" : null;
}

/** Files by form; other files of a folder are no part of the graph, nor is JSON beside CSV. */
function formsOf(input: InputSet): { form: Form; file: InputFile }[] {
  const known = (files: readonly InputFile[]) =>
    files.flatMap((file) => {
      const form = formOf(file);
      return form ? [{ form, file }] : [];
    });
  if (input.single) return known([input.single]);
  const tables = known(input.find(CSV));
  return tables.length > 0 ? tables : known(input.find(/\.jsonl?(\.gz|\.zst)?$/i));
}

function read(input: InputSet, options: ReadOptions): RawGraph {
  refuseNumbering(options, "nodes that are named by their ids");
  const found = formsOf(input);
  const forms = new Set(found.map(({ form }) => form));
  const [form] = forms;
  if (!form) {
    throw new GustError(
      "data",
      `${input.label}: no header with :ID or :START_ID, no table with _id and _start, no JSON of nodes, expected one`,
    );
  }
  const files = found.map(({ file }) => file);
  if (forms.size > 1 || (form !== "import" && files.length > 1)) {
    throw new GustError(
      "data",
      `${input.label}: "${files[0]!.name}" and "${
        files[1]!.name
      }" are exports of their own, expected one export`,
      "name one file",
    );
  }
  const parts = form === "import"
    ? readImportFiles(files)
    : form === "table"
    ? readExportTable(files[0]!)
    : readJson(files[0]!);
  const left = input.files.filter((file) => !files.includes(file) && CSV.test(file.name));
  return assemble(
    input.label,
    parts,
    left.map(({ name }) => `"${name}" is left out: its header has no :ID or :START_ID`),
  );
}

export const propertyGraph: Reader = {
  name: "property-graph",
  summary: "labelled property graph: neo4j-admin CSV files, one exported CSV table, or JSON",
  source: "Neo4j operations manual, neo4j-admin database import; APOC manual, apoc.export",
  sniff: (input) => formsOf(input).length > 0,
  read,
};
