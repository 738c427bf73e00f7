/** Commands with --device cuda, on the emulation of CUDA, beside the same on the CPU. */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { models } from "../../core/models/mod.ts";
import { openNative } from "../../ffi/native.ts";
import { gust, gustOk } from "../helpers.ts";
import { bytesOf, documentOf, graphFolder, json, quietly } from "./_folder.ts";

await openNative();

const here = graphFolder();
const env = { GUST_CUDA_LIBRARY: resolve("build/libgust_emulated.so") };
const on = (variables: Record<string, string> = {}) => ({ ...here, env: { ...env, ...variables } });
gustOk(["sample", "g", "--fanout", "4,4", "--batch-size", "16", "--epochs", "3", "-o", "s"], here);
gustOk(["train", "g", "--epochs", "5", "-o", "m"], here);

/** A run of three epochs on each device: scores as fractions, and weights. */
function both(name: string, ...flags: string[]) {
  const [cpu, cuda] = ["cpu", "cuda"].map((device) => {
    const output = `${name}.${device}`;
    const { text } = gustOk(
      ["train", ...flags, "--epochs", "3", "--device", device, "-o", output, "--json"],
      on(),
    );
    const said = json(text), document = documentOf(here, output);
    const weights = document.names.filter((t) => t.startsWith("param/"))
      .flatMap((t) => document.tensor(t, "F32").toNumbers());
    return { device: said.device as string, run: said.runs[0], weights };
  });
  return { cpu: cpu!, cuda: cuda! };
}

function expectAlike({ cpu, cuda }: ReturnType<typeof both>): void {
  expect([cpu.device, cuda.device]).toEqual(["cpu", "cuda:0"]);
  expect(cuda.run.gpu_memory_bytes).toBeGreaterThan(2 ** 20);
  for (const split of ["train", "val", "test"]) expect(cuda.run[split]).toBeCloseTo(cpu.run[split], 1);
  // Float32 rounding in other orders, over three steps of Adam, which can turn around what is near zero.
  const far = cuda.weights.filter((w, i) => Math.abs(w - cpu.weights[i]!) > 1e-3);
  expect(far.length / cuda.weights.length).toBeLessThan(0.03);
}

describe("gust train --device cuda", () => {
  // gcnii has 64 layers, which take the emulation ten seconds.
  test.each(models.names.filter((name) => name !== "gcnii"))("trains %s as the CPU does", (name) => {
    expectAlike(both(name, "g", "--model", name));
  });

  test("trains on sampled batches and clusters as the CPU does, the next batch ahead", () => {
    expectAlike(both("sampled", "g", "s", "--model", "sage"));
    gustOk(["partition", "g", "-k", "6", "-o", "p"], here);
    expectAlike(both("clusters", "g", "p", "--parts-per-batch", "2"));
  });

  test("gives the same bytes twice", () => {
    for (const output of ["one", "two"]) {
      gustOk(["train", "g", "--epochs", "5", "--device", "cuda", "-o", output], on());
    }
    expect(bytesOf(here, "one").equals(bytesOf(here, "two"))).toBe(true);
  });

  test("makes the recorded step a graph of kernels, which is one launch per part and epoch", () => {
    const counts = (epochs: string) => {
      const flags = ["--epochs", epochs, "--eval-every", "100", "--device", "cuda", "-o", "counted"];
      const { stderr } = gust(["train", "g", ...flags], on({ GUST_EMULATE_COUNT: "1" }));
      return /(\d+) launches and copies, (\d+) captured, (\d+) graphs run/.exec(stderr)!.slice(1).map(
        Number,
      ) as [number, number, number];
    };
    const [some, more] = [counts("10"), counts("20")];
    expect(more[1]).toBe(some[1]);
    expect(more[2] - some[2]).toBe(20);
    // Beside the graphs: the step words, and the loss that is read; four weights that are looked at; and copies of these and
    // of Adam's two averages of each, as the last good epoch.
    expect(more[0] - some[0]).toBeLessThanOrEqual(10 * (3 + 4 + 3 * 4));
  });

  test("gives the same bytes where its two streams overlap as badly as they can", () => {
    for (const store of ["gpu", "host-zerocopy", "host-staged"]) {
      const train = (output: string, variables = {}) => {
        const flags = ["--model", "sage", "--epochs", "3", "--feature-store", store, "--device", "cuda"];
        gustOk(["train", "g", "s", ...flags, "-o", output], on(variables));
      };
      train("in-order");
      train("overlapped", { GUST_EMULATE_DEFER: "1" });
      expect([store, bytesOf(here, "overlapped").equals(bytesOf(here, "in-order"))]).toEqual([store, true]);
    }
  });

  test("resumes what the CPU began", () => {
    gustOk(["train", "g", "--epochs", "7", "--resume", "m", "--device", "cuda", "-o", "resumed"], on());
    expect(documentOf(here, "resumed").meta).toMatchObject({ progress: { epoch: 7 } });
  });

  test("--fast is written down", () => {
    gustOk(["train", "g", "--epochs", "2", "--device", "cuda", "--fast", "-o", "fast"], on());
    expect(documentOf(here, "fast").provenance.at(-1)!.params).toMatchObject({ fast: true });
    expect(documentOf(here, "one").provenance.at(-1)!.params).not.toHaveProperty("fast");
  });
});

describe("other commands with --device cuda", () => {
  test("gust sample writes the bytes that the CPU draws, whatever the method", () => {
    gustOk(["partition", "g", "-k", "6", "-o", "parts"], here);
    for (
      const flags of [
        "--fanout 3,5 --batch-size 20 --epochs 2",
        "--fanout -1 --batch-size 50",
        "--method full",
        "--method cluster --parts-per-batch 2 --epochs 2",
        "--method node --batch-size 60",
      ]
    ) {
      const inputs = flags.includes("cluster") ? ["g", "parts"] : ["g"];
      for (const device of ["cpu", "cuda"]) {
        gustOk(["sample", ...inputs, ...flags.split(" "), "--device", device, "-o", `drawn.${device}`], on());
      }
      expect([flags, bytesOf(here, "drawn.cuda").equals(bytesOf(here, "drawn.cpu"))]).toEqual([flags, true]);
    }
  });

  test("gust eval, predict, cache and smooth give what the CPU gives", () => {
    const value = (...args: string[]) => json(gustOk([...args, "--json"], on()).text).value as number;
    expect(value("eval", "g", "m", "--device", "cuda")).toBeCloseTo(
      value("eval", "g", "m", "--device", "cpu"),
      6,
    );
    for (
      const [args, name] of [
        ["predict g m", "scores"],
        ["cache g --hops 2", "feat"],
        ["smooth g m --method correct-and-smooth", "scores"],
      ] as const
    ) {
      const [cpu, cuda] = ["cpu", "cuda"].map((device) => {
        gustOk([...args.split(" "), "--device", device, "-o", "made"], on());
        return documentOf(here, "made").tensor(name, "F32").toNumbers();
      });
      expect(cuda!.length).toBe(cpu!.length);
      cuda!.forEach((x, i) => expect(x).toBeCloseTo(cpu![i]!, 4));
    }
  });

  test("work in pipes, and a closed pipe ends them quietly", () => {
    const line =
      "gust sample g --fanout 3 --batch-size 30 --device cuda | gust train --epochs 1 --device cuda";
    expect(json(quietly(`${line} --layers 1 | gust eval --device cuda --json`, on()).text)).toMatchObject({
      split: "test",
    });
    expect(quietly("gust sample g --fanout 3 --device cuda | head -c 100 | wc -c", on()).text.trim()).toBe(
      "100",
    );
  });
});

describe("what a GPU can do to a run", () => {
  const train = (variables: Record<string, string>, ...more: string[]) =>
    gust(["train", "g", "--epochs", "3", "--device", "cuda", "-o", "never", ...more], on(variables));

  test("no GPU, a number past the last, an old driver, a GPU that it was not compiled for: what is missing, and what to do", () => {
    for (
      const [variables, said] of [
        [{ GUST_EMULATE_DEVICES: "0" }, /--device cuda: no NVIDIA GPU.*\nhint: use --device cpu/],
        [
          { GUST_EMULATE_DRIVER: "0" },
          /no NVIDIA driver on this machine\nhint: use --device cpu, or install/,
        ],
        [
          { GUST_EMULATE_DRIVER: "11040" },
          /the NVIDIA driver supports CUDA 11.4, expected 13.0 or newer\nhint: update/,
        ],
        [
          { GUST_EMULATE_CAPABILITY: "75" },
          /compute capability 7.5.*\nhint: build with make cuda CUDA_ARCHS=75/,
        ],
      ] as const
    ) {
      const { status, stderr } = train(variables);
      expect(stderr).toMatch(said);
      expect(status).toBe(1);
    }
    expect(train({}, "--device", "cuda:3").stderr).toContain(
      "--device cuda:3: GPU 3, expected 0 to 0: this machine has 1",
    );
    expect(existsSync(join(here.cwd, "never"))).toBe(false);
  });

  test("--device auto goes on with the CPU where there is none, and says so to whoever wants to know", () => {
    const auto = (...more: string[]) =>
      gust(["train", "g", "--epochs", "2", "-o", "auto", ...more], on({ GUST_EMULATE_DEVICES: "0" }));
    expect(auto()).toMatchObject({ status: 0, stderr: "" });
    expect(auto("--verbose").stderr).toMatch(/device: cpu \(no NVIDIA GPU/);
    gustOk(["train", "g", "--epochs", "2", "--device", "cpu", "-o", "cpu"], here);
    expect(bytesOf(here, "auto").equals(bytesOf(here, "cpu"))).toBe(true);
    const old = gust(
      ["train", "g", "--epochs", "2", "-v", "-o", "auto"],
      on({ GUST_EMULATE_CAPABILITY: "75" }),
    );
    expect(old.stderr).toMatch(/device: cpu \(emulated has compute capability 7.5/);
    expect(old.status).toBe(0);
  });

  test("memory that is short: what was asked for, what is free, and what to do", () => {
    const { status, stderr } = train({ GUST_EMULATE_MEMORY: "5000000" });
    expect(stderr).toMatch(/out of GPU memory: [\d.]+ MiB asked for, [\d.]+ of 4.8 MiB free/);
    expect(stderr).toMatch(/hint: .*--feature-store host-zerocopy.*mini-batches/);
    expect(status).toBe(1);
  });

  test("pages that cannot be locked", () => {
    const { status, stderr } = train({ GUST_EMULATE_LOCKABLE: "100" }, "--feature-store", "host-zerocopy");
    expect(stderr).toMatch(
      /cannot be page-locked.*\nhint: raise the limit \(ulimit -l\), or use --feature-store/,
    );
    expect(status).toBe(1);
  });

  test("any allocation that fails, and a GPU that is lost at any moment, end the run; what was there stays", () => {
    gustOk(["train", "g", "--epochs", "2", "-o", "kept"], here);
    const before = bytesOf(here, "kept");
    const outcomes = new Set<number>();
    for (
      const fail of [
        "alloc:1",
        "alloc:2",
        "alloc:3",
        "alloc:5",
        "alloc:8",
        "alloc:13",
        "run:1",
        "run:2",
        "run:40",
        "run:90",
      ]
    ) {
      const { status, stderr } = gust(
        ["train", "g", "s", "--model", "sage", "--epochs", "2", "--device", "cuda", "-o", "kept"],
        on({ GUST_CUDA_FAIL: fail }),
      );
      outcomes.add(status);
      if (status === 0) continue;
      expect([fail, status]).toEqual([fail, 1]);
      expect(stderr).toMatch(
        fail.startsWith("alloc")
          ? /out of GPU memory/
          : /failed on the GPU.*\nhint: .*files on disk are whole/,
      );
      expect(bytesOf(here, "kept").equals(before)).toBe(true);
    }
    expect(outcomes).toContain(1);
  });
});
