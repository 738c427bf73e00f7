/**
 * What gust is made of: `bun test/setup/supply.ts licenses|sbom|audit`, or `make licenses sbom audit`. npm tells the packages
 * of package-lock.json, the table below what it does not know: the runtime and the native libraries.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

const root = join(import.meta.dirname, "../..");

/** Something that is no npm package of its own. */
export interface NativePart {
  readonly name: string;
  /** An SPDX expression. */
  readonly license: string;
  /** static: inside our files; shared: the loader finds it; opened: on first use; program: started where it is installed. */
  readonly how: "static" | "shared" | "opened" | "program";
  readonly used: string;
  /** Names of its files, without versions, as the linker knows them. */
  readonly files: readonly string[];
  /** The Debian package that has it; its version is that of this machine. */
  readonly debian?: string;
  /** Where our sources fix its version. */
  readonly version?: () => string;
}

const requirement = (file: string, name: string) => () =>
  new RegExp(`^${name}==(.+)$`, "m").exec(readFileSync(join(root, "test/setup", file), "utf8"))![1]!;

export const nativeParts: readonly NativePart[] = [
  {
    name: "bun",
    license: "MIT AND LGPL-2.0-or-later",
    how: "static",
    used: "the runtime inside build/gust; its JavaScriptCore is under the LGPL",
    files: [],
    version: () => manifest().devDependencies["bun"]!,
  },
  {
    name: "xxhash",
    license: "BSD-2-Clause",
    how: "shared",
    used: "digests",
    files: ["libxxhash.so"],
    debian: "libxxhash0",
  },
  {
    name: "zstd",
    license: "BSD-3-Clause OR GPL-2.0-only",
    how: "shared",
    used: "compressed inputs and outputs",
    files: ["libzstd.so"],
    debian: "libzstd1",
  },
  {
    name: "zlib",
    license: "Zlib",
    how: "shared",
    used: "compressed inputs and outputs",
    files: ["libz.so"],
    debian: "zlib1g",
  },
  {
    name: "gcc-runtime",
    license: "GPL-3.0-or-later WITH GCC-exception-3.1",
    how: "shared",
    used: "the C++ library",
    files: ["libstdc++.so", "libgcc_s.so"],
    debian: "libstdc++6",
  },
  {
    name: "glibc",
    license: "LGPL-2.1-or-later",
    how: "shared",
    used: "the C library",
    files: ["libc.so", "libm.so", "libdl.so", "librt.so", "libpthread.so", "ld-linux-x86-64.so"],
    debian: "libc6",
  },
  {
    name: "openblas",
    license: "BSD-3-Clause",
    how: "opened",
    used: "dense products on the CPU",
    files: ["libopenblas.so"],
    debian: "libopenblas0-pthread",
  },
  {
    name: "cuda-runtime",
    license: "LicenseRef-NVIDIA-CUDA-Toolkit-EULA",
    how: "static",
    used: "inside libgust_cuda.so",
    files: [],
    version: requirement("cuda.txt", "nvidia-cuda-runtime"),
  },
  {
    name: "cublaslt",
    license: "LicenseRef-NVIDIA-CUDA-Toolkit-EULA",
    how: "opened",
    used: "dense products on a GPU",
    files: ["libcublasLt.so"],
    version: requirement("cublas.txt", "nvidia-cublas"),
  },
  {
    name: "metis",
    license: "Apache-2.0",
    how: "program",
    used: "gpmetis of PATH, for --method metis alone",
    files: [],
    debian: "metis",
  },
];

/** Licences of npm packages that say theirs in words. */
const toldInWords: Readonly<Record<string, string>> = { "dejavu-fonts-ttf": "Bitstream-Vera" };

/** What may be part of the program, and of the tools that make and test it. */
export const accepted = new Set([
  "MIT",
  "ISC",
  "0BSD",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "Apache-2.0",
  "MPL-2.0",
  "Zlib",
  "Bitstream-Vera",
]);

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}
const manifest = () => JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;

export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
}

/** The packages of package-lock.json. */
export function lockedPackages(): LockedPackage[] {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, Omit<LockedPackage, "name">>;
  };
  return Object.entries(packages).filter(([path]) => path !== "").map(([path, entry]) => {
    const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
    return { ...entry, name, license: toldInWords[name] ?? entry.license };
  });
}

function versionOf({ version, debian }: NativePart): string {
  if (version) return version();
  const { stdout, status } = spawnSync("dpkg-query", ["-W", "-f", "${Version}", debian!], {
    encoding: "utf8",
  });
  return status === 0 && stdout ? stdout : "not installed here";
}

/** A line per part: name, version, licence, what it is for. */
function licenses(): string {
  const packages = lockedPackages().filter(({ optional }) => !optional);
  const rows = [
    ...packages.filter(({ dev }) => !dev).map((p) => [p.name, p.version, p.license, "in the program"]),
    ...nativeParts.map((p) => [p.name, versionOf(p), p.license, `${p.how}: ${p.used}`]),
    ...packages.filter(({ dev }) => dev).map((p) => [p.name, p.version, p.license, "makes and tests it"]),
  ];
  const widths = [0, 1, 2].map((c) => Math.max(...rows.map((row) => row[c]!.length)));
  return rows.map((row) => row.map((cell, c) => cell.padEnd(widths[c] ?? 0)).join("  ").trimEnd() + "\n")
    .join("");
}

function npm(...args: string[]): string {
  const { stdout, stderr, error } = spawnSync("npm", args, {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  if (error || !stdout) throw new Error(`npm ${args.join(" ")}: ${error?.message ?? stderr}`);
  return stdout;
}

interface Component {
  name: string;
  licenses?: object[];
  [key: string]: unknown;
}

/** CycloneDX 1.5 of npm, with the parts that it does not know; without the time and the number that differ each time. */
export function sbom(): object {
  const made = JSON.parse(npm("sbom", "--sbom-format", "cyclonedx", "--package-lock-only"));
  delete made.serialNumber;
  delete made.metadata.timestamp;
  made.metadata.component.name = manifest().name; // npm takes that of the folder
  for (const component of made.components as Component[]) {
    const id = toldInWords[component.name];
    if (id) component.licenses = [{ license: { id } }];
  }
  for (const part of nativeParts) {
    const { name, license, how, used, debian } = part, version = versionOf(part);
    made.components.push({
      "bom-ref": `native/${name}@${version}`,
      type: how === "program" ? "application" : "library",
      name,
      version,
      scope: how === "program" || how === "opened" ? "optional" : "required",
      description: used,
      ...(debian ? { purl: `pkg:deb/debian/${debian}@${encodeURIComponent(version)}` } : {}),
      properties: [{ name: "gust:linked", value: how }],
      licenses: [{ expression: license }],
    });
  }
  return made;
}

/** What the registry knows against the packages. @returns the exit status: 1 where it knows something. */
function audit(): number {
  const answer = JSON.parse(npm("audit", "--json", "--package-lock-only", "--fetch-retries=0"));
  const counts = answer.metadata?.vulnerabilities;
  if (!counts) {
    console.log(`audit: NOT CHECKED: the registry does not answer: ${answer.message ?? "no counts"}`);
    return 0;
  }
  console.log(`audit: ${counts.total} known vulnerabilities among ${lockedPackages().length} packages`);
  for (const [name, { severity }] of Object.entries<{ severity: string }>(answer.vulnerabilities)) {
    console.log(`  ${name}: ${severity}`);
  }
  return counts.total > 0 ? 1 : 0;
}

if (import.meta.main) {
  const [what] = process.argv.slice(2);
  if (what === "licenses") process.stdout.write(licenses());
  else if (what === "sbom") process.stdout.write(JSON.stringify(sbom(), null, 2) + "\n");
  else if (what === "audit") process.exitCode = audit();
  else throw new Error("expected licenses, sbom or audit");
}
