/** The XML of a GraphML file as arrays: keys, nodes with their attributes, edges with their weights. */
import { SaxesParser, type SaxesTagPlain } from "saxes";
import type { Source } from "../../ffi/native_source.ts";
import { GustError } from "../errors.ts";
import { textError } from "./reader.ts";

const TYPES = ["boolean", "int", "long", "float", "double", "string"] as const;
export type GraphmlType = (typeof TYPES)[number];
type Value = number | string;

export interface GraphmlKey {
  readonly id: string;
  readonly name: string;
  readonly on: "node" | "edge" | "all";
  readonly type: GraphmlType;
  readonly defaultValue: Value | undefined;
}

export interface Graphml {
  readonly keys: readonly GraphmlKey[];
  /** Keys that some edge gives a value for. */
  readonly used: ReadonlySet<string>;
  /** In the order of their elements. */
  readonly ids: readonly string[];
  /** Per key of the nodes: the value of each, undefined where there is none. */
  readonly columns: ReadonlyMap<string, (Value | undefined)[]>;
  readonly sources: Int32Array;
  readonly targets: Int32Array;
  readonly weights: Float64Array;
  /** Edge elements; where some are directed and some not, an undirected one is listed in both directions. */
  readonly numEdges: number;
  readonly numDirected: number;
}

/** Bytes handed to the XML parser at once. */
const PIECE_BYTES = 1 << 20;

/** An edge with an end whose node element has not come yet. */
interface Pending {
  readonly edge: number;
  readonly source: string;
  readonly target: string;
  readonly line: number;
  readonly column: number;
}

class Reading {
  readonly keys = new Map<string, GraphmlKey>();
  readonly used = new Set<string>();
  readonly ids: string[] = [];
  readonly columns = new Map<string, (Value | undefined)[]>();
  /** Per edge: numbers of its nodes (-1: pending), its weight, and whether it is directed. */
  readonly from: number[] = [];
  readonly to: number[] = [];
  readonly weights: number[] = [];
  readonly directed: boolean[] = [];
  readonly pending: Pending[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #path: string[] = [];
  readonly #parser = new SaxesParser({ position: true });
  #line = 1;
  #column = 1;
  #graphs = 0;
  #isDirected = true;
  #key: (Omit<GraphmlKey, "defaultValue">) | null = null;
  #data: GraphmlKey | null = null;
  #text: string | null = null;
  #weight: GraphmlKey | undefined;

  constructor(
    private readonly source: Source,
    private readonly weightKey: (keys: readonly GraphmlKey[]) => GraphmlKey | undefined,
  ) {
    const parser = this.#parser;
    parser.on("error", (error) => {
      const [, line, column, what] = /^(\d+):(\d+): ([\s\S]*)$/.exec(error.message) ?? [];
      throw textError(
        source,
        Number(line ?? parser.line),
        Number(column ?? 0) + 1,
        `broken XML: ${what ?? error.message}`,
      );
    });
    parser.on("opentagstart", ({ name }) => {
      this.#line = parser.line;
      this.#column = Math.max(1, parser.column - name.length - 1);
    });
    parser.on("opentag", (tag) => this.#open(tag as SaxesTagPlain)); // plain: without the xmlns option
    parser.on("text", (text) => {
      if (this.#text !== null) this.#text += text;
    });
    parser.on("cdata", (text) => {
      if (this.#text !== null) this.#text += text;
    });
    parser.on("closetag", () => this.#close());
  }

  write(text: string): void {
    this.#parser.write(text);
  }

  get line(): number {
    return this.#parser.line;
  }

  end(): void {
    const { line } = this;
    this.#parser.close();
    if (this.#graphs === 0) throw textError(this.source, line, 1, "no <graph> element, expected one");
  }

  error(what: string, hint?: string): GustError {
    return textError(this.source, this.#line, this.#column, what, hint);
  }

  #attribute(tag: SaxesTagPlain, name: string): string {
    const value = tag.attributes[name];
    if (value === undefined) throw this.error(`<${tag.name}> has no ${name}, expected ${name}="..."`);
    return value;
  }

  #open(tag: SaxesTagPlain): void {
    const name = tag.name.replace(/^.*:/, ""), parent = this.#path.at(-1);
    this.#path.push(name);
    if (this.#text !== null && this.#path.includes("data")) return; // markup inside a value, as editors write it
    switch (name) {
      case "graphml":
        if (parent !== undefined) throw this.error(`<graphml> inside <${parent}>`);
        return;
      case "key":
        return this.#openKey(tag);
      case "default":
        this.#text = "";
        return;
      case "graph":
        return this.#openGraph(tag, parent);
      case "node":
        return this.#openNode(tag);
      case "edge":
        return this.#openEdge(tag);
      case "hyperedge":
        throw this.error("a <hyperedge> joins any number of nodes, expected edges of two nodes");
      case "data":
        return this.#openData(tag, parent);
      default:
        if (parent === undefined) throw this.error(`the document is <${name}>, expected <graphml>`);
    }
  }

  #openKey(tag: SaxesTagPlain): void {
    const id = this.#attribute(tag, "id"), on = tag.attributes["for"] ?? "all";
    if (this.keys.has(id)) throw this.error(`<key> "${id}" is there twice`);
    // Editors keep drawings under keys without a name; attributes of graphs say nothing of nodes or edges.
    const name = tag.attributes["attr.name"] ?? "";
    const type = tag.attributes["attr.type"] ?? "string";
    if (!TYPES.includes(type as GraphmlType)) {
      throw this.error(`<key> "${id}": attr.type "${type}", expected ${TYPES.join(", ")}`);
    }
    this.#key = { id, name, on: on === "node" || on === "edge" ? on : "all", type: type as GraphmlType };
    this.keys.set(id, { ...this.#key, defaultValue: undefined });
  }

  #openGraph(tag: SaxesTagPlain, parent: string | undefined): void {
    if (parent !== "graphml") throw this.error("a <graph> inside a node is nested, expected one flat graph");
    if (this.#graphs++ > 0) throw this.error("a second <graph>, expected one in a file");
    const by = tag.attributes["edgedefault"] ?? "undirected";
    if (by !== "directed" && by !== "undirected") {
      throw this.error(`edgedefault "${by}", expected directed or undirected`);
    }
    this.#isDirected = by === "directed";
    this.#weight = this.weightKey([...this.keys.values()]);
  }

  #openNode(tag: SaxesTagPlain): void {
    const id = this.#attribute(tag, "id");
    if (this.#numbers.has(id)) throw this.error(`node "${id}" is there twice`);
    this.#numbers.set(id, this.ids.length);
    this.ids.push(id);
  }

  #openEdge(tag: SaxesTagPlain): void {
    const source = this.#attribute(tag, "source"), target = this.#attribute(tag, "target");
    const own = tag.attributes["directed"];
    if (own !== undefined && own !== "true" && own !== "false") {
      throw this.error(`directed="${own}", expected true or false`);
    }
    const weight = this.#weight?.defaultValue;
    const from = this.#numbers.get(source) ?? -1, to = this.#numbers.get(target) ?? -1;
    if (from < 0 || to < 0) {
      this.pending.push({ edge: this.from.length, source, target, line: this.#line, column: this.#column });
    }
    this.from.push(from);
    this.to.push(to);
    this.weights.push(typeof weight === "number" ? weight : 1);
    this.directed.push(own === undefined ? this.#isDirected : own === "true");
  }

  /** The numbers of ends whose nodes came behind their edges. */
  settle(): void {
    for (const { edge, source, target, line, column } of this.pending) {
      const [from, to] = [source, target].map((id) => {
        const number = this.#numbers.get(id);
        if (number === undefined) {
          throw textError(this.source, line, column, `an edge of node "${id}", but no <node> has that id`);
        }
        return number;
      });
      this.from[edge] = from!;
      this.to[edge] = to!;
    }
  }

  #openData(tag: SaxesTagPlain, parent: string | undefined): void {
    const id = this.#attribute(tag, "key"), key = this.keys.get(id);
    if (!key) {
      throw this.error(
        `<data> of key "${id}", expected one of ${[...this.keys.keys()].join(", ") || "none"}`,
      );
    }
    this.#text = "";
    this.#data = key.name !== "" && (parent === "node" || parent === "edge") ? key : null;
  }

  #close(): void {
    const name = this.#path.pop(), parent = this.#path.at(-1);
    if (name === "key") this.#key = null;
    if (name === "default" && this.#key) {
      const { id } = this.#key;
      this.keys.set(id, { ...this.#key, defaultValue: this.#value(this.#key, this.#text ?? "") });
      this.#text = null;
    }
    if (name !== "data" || this.#path.includes("data")) return;
    const key = this.#data;
    if (key) {
      if (parent === "edge") this.used.add(key.id);
      if (parent === "node") this.#setNode(key, this.#value(key, this.#text ?? ""));
      else if (key.id === this.#weight?.id) {
        this.weights[this.weights.length - 1] = this.#value(key, this.#text ?? "") as number;
      }
    }
    this.#text = null;
    this.#data = null;
  }

  #setNode(key: GraphmlKey, value: Value): void {
    let column = this.columns.get(key.id);
    if (!column) this.columns.set(key.id, column = []);
    column[this.ids.length - 1] = value;
  }

  #value({ name, type }: Omit<GraphmlKey, "defaultValue">, text: string): Value {
    if (type === "string") return text;
    const given = text.trim();
    const refuse = (expected: string) => this.error(`${name} "${given.slice(0, 40)}", expected ${expected}`);
    if (type === "boolean") {
      if (!/^(true|false|0|1)$/i.test(given)) throw refuse("true or false");
      return /^(true|1)$/i.test(given) ? 1 : 0;
    }
    const number = given === "" ? NaN : Number(given);
    if (type === "int" || type === "long") {
      if (!/^[+-]?\d+$/.test(given)) throw refuse("an integer");
      if (!Number.isSafeInteger(number)) throw refuse("an integer of at most 2^53");
    } else if (!Number.isFinite(number)) throw refuse("a finite number");
    return number;
  }
}

/** How the bytes are to be read: by the byte order mark, else by the XML declaration, else UTF-8. */
function encodingOf(source: Source): string {
  const head = source.head(256);
  if (head[0] === 0xff && head[1] === 0xfe) return "utf-16le";
  if (head[0] === 0xfe && head[1] === 0xff) return "utf-16be";
  const text = new TextDecoder("latin1").decode(head);
  return /^(?:ï»¿)?<\?xml[^>]*\bencoding\s*=\s*["']([^"']+)["']/.exec(text)?.[1]?.toLowerCase() ?? "utf-8";
}

function feed(source: Source, reading: Reading): void {
  const encoding = encodingOf(source);
  let decoder: TextDecoder, lenient: TextDecoder;
  try {
    decoder = new TextDecoder(encoding as "utf-8", { fatal: true });
    lenient = new TextDecoder(encoding as "utf-8");
  } catch {
    throw textError(source, 1, 1, `encoding "${encoding}" is not known, expected UTF-8, UTF-16 or Latin-1`);
  }
  const bytes = source.bytes();
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    const window = bytes.window(at, Math.min(PIECE_BYTES, bytes.length - at)).slice();
    let text: string;
    try {
      text = decoder.decode(window, { stream: at + PIECE_BYTES < bytes.length });
    } catch {
      const shown = lenient.decode(window), bad = Math.max(0, shown.indexOf("\ufffd"));
      const before = shown.slice(0, bad).split("\n");
      throw textError(
        source,
        reading.line + before.length - 1,
        before.at(-1)!.length + 1,
        `a byte that is no ${encoding.toUpperCase()} text`,
        'the encoding is named in the first line: <?xml version="1.0" encoding="..."?>',
      );
    }
    reading.write(text);
  }
  reading.end();
}

/**
 * Parse a GraphML file.
 *
 * @param weightKey  picks the key of the edges' weights.
 * @throws {GustError} (data) naming line and column.
 */
export function parseGraphml(
  source: Source,
  weightKey: (keys: readonly GraphmlKey[]) => GraphmlKey | undefined,
): Graphml {
  const reading = new Reading(source, weightKey);
  feed(source, reading);
  reading.settle();
  const { ids, columns, used, keys, from, to, directed } = reading;
  const numEdges = from.length;
  const numDirected = directed.reduce((sum, is) => sum + (is ? 1 : 0), 0);
  const isMixed = numDirected > 0 && numDirected < numEdges;
  const isTwice = (e: number) => isMixed && !directed[e] && from[e] !== to[e];
  let count = numEdges;
  for (let e = 0; e < numEdges; e++) if (isTwice(e)) count++;
  const sources = new Int32Array(count), targets = new Int32Array(count), weights = new Float64Array(count);
  const put = (at: number, u: number, v: number, weight: number) => {
    sources[at] = u;
    targets[at] = v;
    weights[at] = weight;
    return at + 1;
  };
  for (let e = 0, at = 0; e < numEdges; e++) {
    at = put(at, from[e]!, to[e]!, reading.weights[e]!);
    if (isTwice(e)) at = put(at, to[e]!, from[e]!, reading.weights[e]!);
  }
  return {
    keys: [...keys.values()],
    used,
    ids,
    columns,
    sources,
    targets,
    weights,
    numEdges,
    numDirected,
  };
}
