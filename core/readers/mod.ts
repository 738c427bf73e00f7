/** The formats that `gust import` reads, and how one is told from another: by content, never by name. */
import { GustError } from "../errors.ts";
import { registry } from "../registry.ts";
import { clutrr } from "./clutrr.ts";
import { dimacs } from "./dimacs.ts";
import { edgelist } from "./edgelist.ts";
import { events } from "./events.ts";
import { graphml } from "./graphml.ts";
import type { InputSet } from "./input.ts";
import { interactions } from "./interactions.ts";
import { metis } from "./metis.ts";
import { mtx } from "./mtx.ts";
import { musae } from "./musae.ts";
import { npy } from "./npy_edges.ts";
import { npz } from "./npz.ts";
import { ogb } from "./ogb.ts";
import { openke } from "./openke.ts";
import { propertyGraph } from "./property_graph.ts";
import type { Reader } from "./reader.ts";
import { safetensors } from "./safetensors.ts";
import { triples } from "./triples.ts";
import { tu } from "./tu.ts";
import { tuText } from "./tu_text.ts";
import { xyz } from "./xyz.ts";
import { webgraph } from "./webgraph.ts";

/** In the order in which they are tried: an edge list is any text that nothing else claims. */
export const readers = registry<Reader>("format", [
  npz,
  npy,
  safetensors,
  graphml,
  mtx,
  dimacs,
  tu,
  ogb,
  tuText,
  musae,
  webgraph,
  metis,
  openke,
  clutrr,
  xyz,
  propertyGraph,
  interactions,
  triples,
  events,
  edgelist,
]);

/**
 * The reader whose format the input has.
 * @throws {GustError} (data) if it is none of them.
 */
export function detectReader(input: InputSet): Reader {
  for (const reader of readers) if (reader.sniff(input)) return reader;
  const expected = `expected one of ${readers.names.join(", ")}`;
  if (!input.single) {
    const shown = input.files.slice(0, 3).map(({ name }) => `"${name}"`).join(", ");
    const more = input.files.length > 3 ? `, ... (${input.files.length} files)` : "";
    throw new GustError(
      "data",
      `${input.label}: no format that gust knows has the files ${shown}${more}, ${expected}`,
      "--format forces one",
    );
  }
  const { source } = input.single;
  if (source.sizeBytes === 0) {
    throw new GustError(
      "data",
      `${source.label} is empty`,
      "--format edgelist --num-nodes N imports N isolated nodes",
    );
  }
  const head = source.head(16);
  if (head.length > 8 && head[8] === 0x7b && head[7] === 0) {
    throw new GustError(
      "data",
      `${source.label} is a safetensors document already, expected a raw graph`,
      "gust inspect shows what it holds",
    );
  }
  if ((head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff)) {
    throw new GustError(
      "data",
      `${source.label}:1:1: the text is UTF-16, expected UTF-8`,
      "iconv -f UTF-16 -t UTF-8 converts it",
    );
  }
  const bytes = Array.from(head, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  throw new GustError(
    "data",
    `${source.label} has no format that gust knows: it begins with ${bytes}, ${expected}`,
  );
}
