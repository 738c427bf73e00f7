/** A folder of virtual environments whose "python" is a shell script that speaks the words of core/bench/peer.ts. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir } from "../../helpers.ts";

/** Two ways that take 30 and 10 ms a time by its own account; a case with "width":13 is more than it can do. */
const LIVE = `
echo '{"peer": "fake 1.0"}'
while read -r line; do
  case "$line" in
    *die*) echo "Traceback" >&2; echo "OSError: gone" >&2; exit 3 ;;
    *prepare*13*) echo '{"error": "ValueError: 13"}' ;;
    *prepare*) echo '{"variants": ["slow", "fast"]}' ;;
    *)
      repeat=$(echo "$line" | sed 's/.*"run":\\([0-9]*\\).*/\\1/')
      case "$line" in *slow*) ms=30 ;; *) ms=10 ;; esac
      echo "{\\"values\\": {\\"ms\\": $((ms * repeat))}}" ;;
  esac
done
`;
/** A process per turn: its arguments are script, graph, threads, case and device. */
const ONCE = `
sleep 0.05
[ -f "$2" ] || { echo "no graph" >&2; exit 1; }
[ "$5 $6" = "--device cpu" ] || { echo "no device" >&2; exit 1; }
echo "some library says hello"
echo '{"peer": "fake 2.0", "values": {"epoch": 50}}'
`;

/** Makes the environments "torch" and "dgl". */
export function fakePeers(kind: "live" | "once" = "live"): string {
  const folder = freshDir();
  for (const name of ["torch", "dgl"]) {
    const bin = join(folder, name, "bin"), python = join(bin, "python");
    mkdirSync(bin, { recursive: true });
    writeFileSync(python, "#!/bin/sh" + (kind === "live" ? LIVE : ONCE));
    chmodSync(python, 0o755);
  }
  return folder;
}
