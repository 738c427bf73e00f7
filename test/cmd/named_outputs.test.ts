/** Files that options name: none is lost to another, and their places are looked at before any work is done. */
import { expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { gust, gustOk, pipeline } from "../helpers.ts";
import { bytesOf, graphFolder } from "./_folder.ts";

const here = graphFolder(), graph = bytesOf(here, "g");
const at = (name: string) => join(here.cwd, name);
const train = ["train", "g", "--epochs", "2"];

test("two outputs are two files, by whatever path", () => {
  mkdirSync(at("folder"));
  symlinkSync("folder/x", at("link"));
  const cases = [
    [...train, "-o", "x", "--json=x"],
    [...train, "-o", "x", "--deps", "./x"],
    [...train, "-o", "x", "--log", join(realpathSync(here.cwd), "x")],
    [...train, "-o", "link", "--log", "folder/x"],
    [...train, "-o", "x", "--checkpoint", "folder/../x"],
    [...train, "-o", "x", "--approx", "rsc", "--save-operators", "x"],
    [...train, "-o", "x", "--profile=x"],
    ["cache", "g", "--hops", "1", "-o", "x", "--checkpoint", "x"],
    ["inspect", "g", "--html", "x", "--json=x"],
  ];
  for (const args of cases) {
    const { status, stderr } = gust(args, here);
    expect([args, status]).toEqual([args, 2]);
    expect(stderr).toMatch(
      /Files that would be lost: (-o|--[-\w]+) and (-o|--[-\w]+) both name ".+", expected a file each\n/,
    );
    expect([existsSync(at("x")), existsSync(at("folder/x"))]).toEqual([false, false]);
  }
});

test("an input is replaced by -o alone", () => {
  for (const flag of ["--log=g", "--json=g", "--deps=./g", "--profile=g", "--checkpoint=g"]) {
    const { status, stderr } = gust([...train, "-o", "x", flag], here);
    expect([flag, status]).toEqual([flag, 2]);
    expect(stderr).toContain(`${flag.split("=")[0]} names the input "`);
    expect(bytesOf(here, "g").equals(graph)).toBe(true);
  }
  gustOk(["inspect", "g", "-o", "y"], here);
  gustOk(["split", "g", "--method", "random", "-o", "h"], here);
  gustOk(["split", "h", "--method", "random", "--seed", "7", "-o", "h"], here);
  gustOk(["inspect", "--check", "h"], here);
});

test("devices may be named twice", () => {
  gustOk([...train, "-o", "/dev/null", "--log", "/dev/null", "--json=/dev/null"], here);
});

test("what a killed or finished run would write has a folder", () => {
  for (
    const flag of [
      "--log=no/x",
      "--checkpoint=no/x",
      "--profile=no/x",
      "-ono/{seed}",
      "--save-operators=no/{seed}",
    ]
  ) {
    const { status, stderr } = gust(["train", "g", "--epochs", "100000000", "-o", "x", flag], here);
    expect([flag, status]).toEqual([flag, 1]);
    expect(stderr).toMatch(
      /Cannot write "no\/.+": folder "no": no such file or directory\nhint: mkdir -p "no"/,
    );
  }
  const { status, stderr } = gust(["inspect", "g", "--html", "no/x"], here);
  expect([status, stderr]).toEqual([1, expect.stringContaining('folder "no": no such file or directory')]);
});

test("a link to what is not there yet is followed, one that leads to itself is refused", () => {
  symlinkSync("there", at("dangling"));
  gustOk(["split", "g", "--method", "random", "-o", "dangling"], here);
  expect([lstatSync(at("dangling")).isSymbolicLink(), lstatSync(at("there")).isFile()]).toEqual([true, true]);
  symlinkSync("nowhere/there", at("far"));
  expect(gust(["split", "g", "-o", "far"], here).stderr).toMatch(
    /folder ".*nowhere": no such file or directory/,
  );
  symlinkSync("loop", at("loop"));
  const { status, stderr } = gust(["split", "g", "-o", "loop"], here);
  expect([status, stderr]).toEqual([1, expect.stringMatching(/Cannot write "loop": .*symbolic links/)]);
});

test("a file that is replaced keeps its permissions", () => {
  gustOk(["split", "g", "--method", "random", "-o", "private"], here);
  for (const mode of [0o600, 0o664]) {
    chmodSync(at("private"), mode);
    gustOk(["split", "g", "--method", "random", "--seed", "3", "-o", "private"], here);
    expect(statSync(at("private")).mode & 0o777).toBe(mode);
  }
});

test("names that are no UTF-8 are refused: they would become other names", () => {
  const { status, stderr } = pipeline("gust split g --method random -o $'o\\xfe'", here);
  expect([status, stderr]).toEqual([
    2,
    'gust split: Argument "o\ufffd" is no UTF-8\nhint: rename the file: mv takes any bytes\n',
  ]);
  // The character itself is one.
  gustOk(["split", "g", "--method", "random", "-o", "o\ufffd"], here);
  expect(readFileSync(at("o\ufffd")).length).toBeGreaterThan(0);
  rmSync(at("o\ufffd"));
});
