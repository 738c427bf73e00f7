/** What a GraphML file tells of its nodes: numbers, names, classes, features, and the other attributes as columns. */
import { NativeArray } from "../../ffi/native.ts";
import type { Source } from "../../ffi/native_source.ts";
import { GustError } from "../errors.ts";
import type { NewTensor } from "../format/document.ts";
import type { Graphml, GraphmlKey } from "./graphml_parse.ts";
import { packNames } from "./names.ts";
import { dataError, PAST_FLOAT32, type RawGraph } from "./reader.ts";
import { tensorName } from "./typed_columns.ts";

export interface NodeOptions {
  readonly labelAttr?: string;
  readonly featAttrs?: readonly string[];
}

type Parts = Pick<RawGraph, "features" | "labels" | "classNames" | "nodeNames" | "extra"> & {
  readonly notes: string[];
  /** The number of the node of each element; null: as they come. */
  readonly numberOf: Int32Array | null;
};

/** Ids that are the numbers 0 .. n-1, bare or behind an "n", in any order; null if they are names. */
function numbersOf(ids: readonly string[]): Int32Array | null {
  const prefix = ids[0]?.startsWith("n") ? "n" : "";
  const numbers = new Int32Array(ids.length), seen = new Uint8Array(ids.length);
  for (const [i, id] of ids.entries()) {
    const digits = id.startsWith(prefix) ? id.slice(prefix.length) : "";
    const number = /^(0|[1-9]\d*)$/.test(digits) ? Number(digits) : -1;
    if (number < 0 || number >= ids.length || seen[number]) return null;
    seen[number] = 1;
    numbers[i] = number;
  }
  return numbers;
}

/** The values of a key in the order of the node numbers, with its default where there is none. */
function valuesOf(g: Graphml, key: GraphmlKey, numberOf: Int32Array | null): (number | string | undefined)[] {
  const column = g.columns.get(key.id) ?? [];
  const values: (number | string | undefined)[] = new Array(g.ids.length).fill(key.defaultValue);
  for (let i = 0; i < g.ids.length; i++) {
    if (column[i] !== undefined) values[numberOf ? numberOf[i]! : i] = column[i];
  }
  return values;
}

function labelsOf(source: Source, values: readonly (number | string | undefined)[], name: string) {
  const classes: string[] = [];
  const numbers = new Map<string, number>();
  const array = Int32Array.from(values, (value, v) => {
    if (value === undefined) return -1;
    if (typeof value === "number") {
      if (!Number.isInteger(value) || value < -1 || value >= 2 ** 31 - 1) {
        throw dataError(source, `${name} of node ${v} is ${value}, expected a class from 0, or -1 for none`);
      }
      return value;
    }
    let number = numbers.get(value);
    if (number === undefined) {
      numbers.set(value, number = classes.length);
      classes.push(value);
    }
    return number;
  });
  const numClasses = Math.max(classes.length, array.reduce((most, x) => Math.max(most, x), -1) + 1);
  return {
    labels: { kind: "single", numClasses, array: NativeArray.from<"I32">(array) } as const,
    classNames: classes.length ? classes : undefined,
  };
}

/** What each attribute is called: names that are there already, also as those of a text's pointers, get a number. */
function calledOf(keys: readonly GraphmlKey[]): ReadonlyMap<GraphmlKey, string> {
  const taken = new Set<string>();
  return new Map(keys.map((key) => {
    let name = key.name;
    for (let n = 2; taken.has(name) || taken.has(`${name}.indptr`); n++) name = `${key.name}_${n}`;
    taken.add(name).add(`${name}.indptr`);
    return [key, name];
  }));
}

/** A column as extra/node/<name>: integers I64, truth values BOOL, numbers F64 (NaN = none), text as UTF-8. */
function extraOf(
  key: GraphmlKey,
  called: string,
  values: readonly (number | string | undefined)[],
): NewTensor[] {
  const name = `extra/node/${tensorName(called)}`, shape = [values.length];
  if (key.type === "string") {
    const { bytes, indptr } = packNames(values.map((value) => String(value ?? "")));
    return [
      { name, dtype: "U8", shape: [bytes.length], data: bytes },
      { name: `${name}.indptr`, dtype: "I64", shape: [indptr.length], data: indptr },
    ];
  }
  const numbers = values as readonly (number | undefined)[];
  if (key.type === "float" || key.type === "double" || numbers.includes(undefined)) {
    return [{ name, dtype: "F64", shape, data: Float64Array.from(numbers, (x) => x ?? NaN) }];
  }
  return key.type === "boolean"
    ? [{ name, dtype: "BOOL", shape, data: Uint8Array.from(numbers, (x) => x!) }]
    : [{ name, dtype: "I64", shape, data: BigInt64Array.from(numbers, (x) => BigInt(x!)) }];
}

/** @throws {GustError} (usage) for an attribute that the file does not have, (data) for values that do not fit. */
export function nodeParts(source: Source, g: Graphml, o: NodeOptions): Parts {
  const notes: string[] = [];
  const numberOf = numbersOf(g.ids);
  const isMoved = numberOf?.some((number, i) => number !== i) ?? false;
  if (g.ids[0]?.startsWith("n") && numberOf) {
    notes.push("ids n0, n1, ... are taken as the numbers of the nodes");
  }
  const place = isMoved ? numberOf : null;
  const keys = g.keys.filter(({ on, name, id, defaultValue }) =>
    on !== "edge" && name !== "" && (g.columns.has(id) || defaultValue !== undefined)
  );
  const called = calledOf(keys);
  const keyOf = (option: string, name: string) => {
    const key = keys.find((k) => called.get(k) === name);
    if (key) return key;
    const known = [...called.values()].join(", ") || "none";
    throw new GustError(
      "usage",
      `${option} ${name}: the nodes have no such attribute, expected one of: ${known}`,
    );
  };
  const numbered = keys.filter((key) => called.get(key) !== key.name);
  if (numbered.length) {
    notes.push(
      `attributes of nodes with the name of another one have a number: ${
        numbered.map((key) => `"${key.name}" of key ${key.id} is ${called.get(key)}`).join(", ")
      }`,
    );
  }
  const taken = new Set<GraphmlKey>();
  let labelled: ReturnType<typeof labelsOf> | undefined;
  if (o.labelAttr !== undefined) {
    const key = keyOf("--label-attr", o.labelAttr);
    taken.add(key);
    labelled = labelsOf(source, valuesOf(g, key, place), key.name);
  }
  let features: RawGraph["features"];
  if (o.featAttrs) {
    const numFeatures = o.featAttrs.length;
    const array = new Float32Array(g.ids.length * numFeatures);
    for (const [column, name] of o.featAttrs.entries()) {
      const key = keyOf("--feat-attrs", name);
      taken.add(key);
      for (const [v, value] of valuesOf(g, key, place).entries()) {
        if (typeof value !== "number") {
          const given = value === undefined ? "nothing" : JSON.stringify(value);
          throw dataError(source, `${name} of node ${v} is ${given}, expected a number`);
        }
        if (!Number.isFinite(Math.fround(value))) {
          throw dataError(source, `${name} of node ${v} is ${value}, ${PAST_FLOAT32}`);
        }
        array[v * numFeatures + column] = value;
      }
    }
    features = { kind: "dense", numFeatures, array: NativeArray.from<"F32">(array) };
  }
  const others = keys.filter((key) => !taken.has(key));
  if (others.length) {
    notes.push(
      `attributes of nodes kept as extra/node/...: ${others.map((key) => called.get(key)).join(", ")}` +
        "; --label-attr and --feat-attrs make classes and features of them",
    );
  }
  return {
    notes,
    numberOf: place,
    features,
    labels: labelled?.labels,
    classNames: labelled?.classNames,
    nodeNames: numberOf ? undefined : packNames(g.ids),
    extra: others.flatMap((key) => extraOf(key, called.get(key)!, valuesOf(g, key, place))),
  };
}
