/** gust plot: training logs as curves. The libraries that draw are loaded here and by gust inspect --html alone. */
import { basename, extname } from "node:path";
import process from "node:process";
import { z } from "zod";
import { GustError } from "../core/errors.ts";
import { bandKinds, curvePanels, type LogPanel, xAxes } from "../core/plot/curves.ts";
import { parseLog, type TrainingLog } from "../core/plot/log.ts";
import { withIo } from "./_io.ts";
import { defineCommand } from "./_options.ts";
import { readText } from "./_read.ts";

const formats = ["svg", "png", "html"] as const;
type Format = (typeof formats)[number];

/** The format of --format, else of the output's name, else SVG. */
function formatOf(format: Format | undefined, output: string | undefined): Format {
  if (format !== undefined) return format;
  if (output === undefined) return "svg";
  const extension = extname(output).slice(1).toLowerCase();
  const found = formats.find((name) => name === extension);
  if (found) return found;
  throw new GustError(
    "usage",
    `Cannot tell the format of "${output}" by its name, expected a name that ends in ${
      formats.map((name) => `.${name}`).join(", ")
    }`,
    "or give --format",
  );
}

/** Names of the logs in the legend: file names without extension; whole paths where those are not enough. */
function labelsOf(inputs: readonly string[]): string[] {
  const short = inputs.map((input) => input === "-" ? "standard input" : basename(input, extname(input)));
  return short.map((name, i) => short.filter((other) => other === name).length > 1 ? inputs[i]! : name);
}

function readLogs(operands: readonly string[]): TrainingLog[] {
  if (operands.length === 0 && process.stdin.isTTY) {
    throw new GustError("missing", "No input: expected logs or a log on standard input", "gust plot --help");
  }
  const inputs = operands.length ? operands : ["-"];
  const labels = labelsOf(inputs);
  return inputs.map((input, i) => ({
    label: labels[i]!,
    ...(input === "-"
      ? parseLog(readText("-", "standard input"), "standard input")
      : parseLog(readText(input, `"${input}"`), input)),
  }));
}

/** The machine-readable result: what was drawn, as numbers. */
const resultOf = (panels: readonly LogPanel[]) => ({
  panels: panels.map(({ xName, curves }) => ({
    x: xName,
    curves: curves.map(({ log, field, runs, points }) => ({ log, field, runs, points })),
  })),
});

const self = { name: "plot", writesDocument: false, writesText: true } as const;

export const command = defineCommand({
  ...self,
  summary: "draw training logs as curves",
  operands: "[log...]",
  options: z.object({
    y: z.array(z.string()).optional().describe(
      "what to draw: one panel per item, a+b puts two into one [loss,train+val]",
    ).meta({ value: "FIELDS" }),
    x: z.enum(xAxes).default("epoch").describe("the horizontal axis; seconds are the sum of the epochs' ms"),
    band: z.enum(bandKinds).default("std").describe(
      "around the mean over runs: one standard deviation, least to greatest, or nothing",
    ),
    logY: z.boolean().default(false).describe("logarithmic vertical axes"),
    title: z.string().optional().describe("a line above the picture"),
    format: z.enum(formats).optional().describe("what to write [by the name of -o, else svg]"),
    width: z.int().min(300).max(10_000).default(800).describe("width in pixels"),
    height: z.int().min(150).max(10_000).default(320).describe("height of a panel in pixels"),
    scale: z.number().min(0.1).max(10).default(2).describe("pixels of a PNG per pixel of the picture"),
  }).strict(),
  details:
    `A log is what gust train --log writes: one JSON object per line with epoch, seed and numbers. The runs
(seeds, splits) of a log are one curve: the mean over those that have a value at the epoch; several logs are drawn over each other.
Equal logs give equal bytes.

Examples:
  gust train cora.graph.safetensors --repeat 10 --log gcn.jsonl -o cora.model.safetensors
  gust plot gcn.jsonl -o gcn.svg
  gust plot gcn.jsonl sgc.jsonl --y loss,val --x seconds -o both.png
  gust plot *.jsonl --y val --band range -o val.html`,
  run: (inputs, o, common) =>
    withIo(self, inputs, common, async (io) => {
      const format = formatOf(o.format, common.output);
      if (format === "png" && common.output === undefined && process.stdout.isTTY) {
        throw new GustError("usage", "Refusing to write a PNG to a terminal", "use -o FILE.png");
      }
      const logs = readLogs(inputs);
      const panels = curvePanels(logs, o);
      const { renderSvg } = await import("../core/plot/svg.ts");
      const svg = renderSvg({ title: o.title, panels }, { width: o.width, panelHeight: o.height });
      if (format === "png") {
        const { renderPng } = await import("../core/plot/png.ts");
        io.writeText([await renderPng(svg, o.scale)]);
      } else if (format === "html") {
        const { logPage } = await import("../core/plot/log_page.ts");
        io.writeText([logPage(o.title ?? "training", svg, panels)]);
      } else io.writeText([svg + "\n"]);
      io.json(resultOf(panels));
    }),
});
