/** Self-contained HTML pages: tables and inline pictures, no script, nothing from the network. */

/** Text as HTML. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** A part of a page. */
export type Block =
  | { readonly kind: "heading"; readonly text: string }
  | { readonly kind: "text"; readonly text: string }
  /** Names and values. */
  | { readonly kind: "facts"; readonly rows: readonly (readonly [name: string, value: string])[] }
  | {
    readonly kind: "table";
    readonly header: readonly string[];
    readonly rows: readonly (readonly string[])[];
  }
  /** An SVG document; `label` says what it shows to those who cannot see it. */
  | { readonly kind: "picture"; readonly svg: string; readonly label: string };

const STYLE =
  `body{font:15px/1.45 "DejaVu Sans",sans-serif;color:#222;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem;border-bottom:1px solid #ccc}
table{border-collapse:collapse;margin:.6rem 0}td,th{padding:.15rem .8rem .15rem 0;text-align:left;vertical-align:top}
td{white-space:pre-wrap;overflow-wrap:anywhere}th{font-weight:normal;color:#666}thead th{border-bottom:1px solid #ccc}
figure{margin:.6rem 0}figure svg{max-width:100%;height:auto}`;

const cells = (tag: string, values: readonly string[]) =>
  values.map((value) => `<${tag}>${escapeHtml(value)}</${tag}>`).join("");

function blockHtml(block: Block): string {
  switch (block.kind) {
    case "heading":
      return `<h2>${escapeHtml(block.text)}</h2>`;
    case "text":
      return `<p>${escapeHtml(block.text)}</p>`;
    case "facts":
      return `<table>${
        block.rows.map(([name, value]) =>
          `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`
        ).join("\n")
      }</table>`;
    case "table":
      return `<table><thead><tr>${cells("th", block.header)}</tr></thead><tbody>${
        block.rows.map((row) => `<tr>${cells("td", row)}</tr>`).join("\n")
      }</tbody></table>`;
    case "picture":
      return `<figure role="img" aria-label="${escapeHtml(block.label)}">${block.svg}</figure>`;
  }
}

/** A page as text, in UTF-8 when written. */
export function htmlPage(title: string, blocks: readonly Block[]): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<title>${escapeHtml(title)}</title>
<style>
${STYLE}
</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
${blocks.map(blockHtml).join("\n")}
</body>
</html>
`;
}
