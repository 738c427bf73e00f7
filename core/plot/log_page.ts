/** The page of gust plot: the picture, and the last and best value of each curve. */
import type { LogPanel } from "./curves.ts";
import { htmlPage } from "./page.ts";

const shown = (value: number) => String(Number(value.toPrecision(5)));

/** A self-contained HTML page around a picture of training logs. */
export function logPage(title: string, svg: string, panels: readonly LogPanel[]): string {
  const rows = panels.flatMap(({ curves }) =>
    curves.map(({ log, field, runs, points }) => {
      const known = points.flatMap(({ x, y }) => y === null ? [] : [{ x, y }]);
      const last = known.at(-1)!;
      const least = known.reduce((a, b) => b.y < a.y ? b : a);
      const most = known.reduce((a, b) => b.y > a.y ? b : a);
      const at = ({ x, y }: { x: number; y: number }) => `${shown(y)} at ${shown(x)}`;
      return [log, field, String(runs.length), at(last), at(least), at(most)];
    })
  );
  return htmlPage(title, [
    { kind: "picture", svg, label: panels.map(({ yName, xName }) => `${yName} over ${xName}`).join("; ") },
    { kind: "table", header: ["log", "field", "runs", "last", "least", "greatest"], rows },
  ]);
}
