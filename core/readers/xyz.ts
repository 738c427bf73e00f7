/**
 * Extended XYZ: molecules and crystals, frame after frame. A frame is a line with the number of atoms, a line of
 * key=value pairs (Lattice, pbc, Properties, energy, ...), and a line per atom with the columns that Properties says.
 * Plain XYZ files, whose second line is a comment, are read as species and positions. Several files are several parts.
 *
 * Gives a many-graph data set without arcs (neighbours within a radius are found later): pos F64 [atoms, 3],
 * graph_target = energy, graph_cell = Lattice (rows are the vectors), extra/atomic_number I32, extra/forces F64
 * [atoms, 3], extra/pbc BOOL [graphs, 3], extra/part I32 [graphs] into the metadata `parts`; other columns become
 * extra/atom/NAME, other pairs extra/frame/KEY. What some frames lack is 0 there, with a mask [graphs] NAME.present.
 * Source: the extended XYZ specification of libAtoms (github.com/libAtoms/extxyz); Kovacs et al. 2021 (the data sets).
 */
import { z } from "zod";
import { NativeArray } from "../../ffi/native.ts";
import { EdgeList } from "../../ffi/native_build.ts";
import { GustError } from "../errors.ts";
import type { InputSet } from "./input.ts";
import { refuseNumbering } from "./parts.ts";
import type { RawGraph, Reader, ReadOptions } from "./reader.ts";
import { isText } from "./text.ts";
import { atomicNumber } from "./xyz_frame.ts";
import { Frames } from "./xyz_frames.ts";

const params = z.object({
  energy: z.string().min(1).default("energy").describe("key of the energy of a frame").meta({ value: "KEY" }),
  forces: z.string().min(1).default("forces").describe("name of the forces on the atoms").meta({
    value: "NAME",
  }),
}).strict();

const FILE = /\.(ext)?xyz(\.gz|\.zst)?$/i;
/** More than this of a first line is no count of atoms. */
const HEAD_BYTES = 1 << 16;

function sniff(input: InputSet): boolean {
  const file = input.single ??
    (input.files.every(({ name }) => FILE.test(name)) ? input.files[0] : undefined);
  if (!file || !isText(file.source)) return false;
  const [count, pairs, atom] = new TextDecoder().decode(file.source.head(HEAD_BYTES)).split("\n", 3);
  if (!/^\s*\d+\s*$/.test(count!) || atom === undefined) return false;
  const words = atom.trim().split(/\s+/);
  return /\bProperties=/.test(pairs!) ||
    (words.length >= 4 && Number.isNaN(Number(words[0])) && atomicNumber(words[0]!) !== undefined &&
      words.slice(1, 4).every((word) => Number.isFinite(Number(word))));
}

function read(input: InputSet, options: ReadOptions, given: Record<string, unknown>): RawGraph {
  refuseNumbering(options, "atoms, which have no ids");
  const files = input.single ? [input.single] : input.find(FILE);
  if (files.length === 0) throw new GustError("data", `${input.label}: no files *.xyz, expected some`);
  const frames = new Frames(params.parse(given));
  const parts = files.map((file) => {
    frames.read(file.source);
    return file.name.replace(FILE, "");
  });
  if (frames.count === 0) throw new GustError("data", `${input.label}: no frames, expected some`);
  const none = NativeArray.allocate("I64", 0);
  return {
    edges: EdgeList.fromArrays(none, none),
    numNodes: frames.numAtoms,
    isUndirected: true,
    isWeighted: false,
    ...frames.tensors(files.length > 1),
    ...(files.length > 1 ? { meta: { parts } } : {}),
  };
}

export const xyz: Reader = {
  name: "xyz",
  summary: "extended XYZ: molecules with positions, energies and forces; a file, or a folder of them",
  source: "libAtoms extended XYZ; Kovacs et al. 2021, J. Chem. Theory Comput. 17, 7696",
  params,
  sniff,
  read,
};
