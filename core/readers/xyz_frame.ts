/** One frame of an extended XYZ file: the line of key=value pairs, what its Properties say, and the elements. */

/** A per-atom property: real numbers, integers, truth values or strings, so many columns of them. */
export interface AtomProperty {
  readonly name: string;
  readonly type: "R" | "I" | "L" | "S";
  readonly columns: number;
}

const PAIR =
  /\s*(?:"((?:[^"\\]|\\.)*)"|([^\s="]+))(?:=(?:"((?:[^"\\]|\\.)*)"|\{([^}]*)\}|\[([^\]]*)\]|((?:[^\s"{[]\S*)?)))?/y;

/**
 * The pairs of a comment line, in order; a key without a value is "T". A line without any "=" is a comment and holds
 * none. @throws {SyntaxError} for a quote without an end.
 */
export function parsePairs(line: string): Map<string, string> {
  const pairs = new Map<string, string>();
  if (!line.includes("=")) return pairs;
  const text = line.trimEnd();
  PAIR.lastIndex = 0;
  while (PAIR.lastIndex < text.length) {
    const at = PAIR.lastIndex;
    const match = PAIR.exec(text);
    if (!match || (text[PAIR.lastIndex] !== undefined && !/\s/.test(text[PAIR.lastIndex]!))) {
      throw new SyntaxError(`"${text.slice(at, at + 24).trim()}" is no key=value pair`);
    }
    const [, quotedKey, key, quoted, braces, brackets, bare] = match;
    const value = quoted?.replace(/\\(.)/g, "$1") ?? braces ?? brackets?.replaceAll(",", " ") ?? bare ?? "T";
    pairs.set(quotedKey ?? key!, value.trim());
  }
  return pairs;
}

/** Plain XYZ files say nothing of their columns. */
const PLAIN = "species:S:1:pos:R:3";

/** @throws {SyntaxError} saying what is wrong. */
export function parseProperties(text: string | undefined): AtomProperty[] {
  const words = (text ?? PLAIN).split(":");
  const list: AtomProperty[] = [];
  for (let i = 0; i < words.length; i += 3) {
    const [name, type, count] = words.slice(i, i + 3);
    const columns = Number(count);
    if (
      !name || !/^[RILS]$/.test(type ?? "") || !(Number.isInteger(columns) && columns >= 1 && columns <= 1000)
    ) {
      throw new SyntaxError(`"${words.slice(i, i + 3).join(":")}", expected NAME:R|I|L|S:COLUMNS`);
    }
    list.push({ name, type: type as AtomProperty["type"], columns });
  }
  const has = (name: string, type: string, columns: number) =>
    list.some((p) => p.name === name && p.type === type && p.columns === columns);
  if (!has("pos", "R", 3)) throw new SyntaxError("no pos:R:3, expected positions");
  if (!has("species", "S", 1) && !has("Z", "I", 1)) {
    throw new SyntaxError("no species:S:1 or Z:I:1, expected elements");
  }
  const twice = list.find(({ name }, i) => list.findIndex((p) => p.name === name) < i);
  if (twice) throw new SyntaxError(`${twice.name} is there twice`);
  return list;
}

/** Numbers in a value. @throws {SyntaxError} unless there are so many finite ones. */
export function parseNumbers(text: string, count: number): number[] {
  const numbers = text.split(/[\s,]+/).filter((word) => word !== "").map(Number);
  if (numbers.length !== count || !numbers.every((x) => Number.isFinite(x))) {
    throw new SyntaxError(`"${text}", expected ${count} number${count === 1 ? "" : "s"}`);
  }
  return numbers;
}

/** Truth values as T, F, true, false, 1 or 0; null for anything else. */
export function parseTruth(text: string): boolean | null {
  if (/^(t|true|1)$/i.test(text)) return true;
  return /^(f|false|0)$/i.test(text) ? false : null;
}

const SYMBOLS =
  ("X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr " +
    "Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re " +
    "Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh " +
    "Fl Mc Lv Ts Og").split(" ");
const NUMBER_OF = new Map(SYMBOLS.map((symbol, number) => [symbol.toLowerCase(), number]));

/** The atomic number of a symbol or of a number; X is 0, a placeholder; undefined if there is none. */
export function atomicNumber(species: string): number | undefined {
  if (/^\d+$/.test(species)) return Number(species) < SYMBOLS.length ? Number(species) : undefined;
  return NUMBER_OF.get(species.toLowerCase());
}
