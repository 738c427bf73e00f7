/** What gust partition says of what it has made: JSON, a warning, one line. */
import type { PartitionMeta } from "../core/partition/document.ts";
import type { EdgePartitionMeta } from "../core/partition/edges.ts";
import { whole } from "../core/partition/whole.ts";
import type { Io } from "./_io.ts";

/** How it was asked for. */
export interface Asked {
  readonly balance?: string | undefined;
  readonly imbalance: number;
  readonly order?: string | undefined;
  readonly apply: boolean;
}

/** What was written, and how long it took. */
export interface Written {
  readonly kind: string;
  readonly digest: string;
  readonly seconds: number;
}

const rounded = (seconds: number) => Number(seconds.toFixed(4));

/** Of parts of nodes, or of an order alone. */
export function reportPartition(
  io: Io,
  meta: PartitionMeta,
  o: Asked,
  { kind, digest, seconds }: Written,
): void {
  const { cut, cut_weight, balance, halo, label_entropy, modularity, k, method, order, balances } = meta;
  const made = { kind, method, order, parts: k, cut, cut_weight, balance, balances, halo, label_entropy };
  io.json({ ...made, modularity, seconds: rounded(seconds), digest });
  const reached = Object.entries({ nodes: balance, ...balances })
    .filter(([name]) => o.balance?.split(",").includes(name));
  const missed = reached.filter(([, value]) => value > o.imbalance + 1e-9);
  if (missed.length) {
    io.warn(
      `no partition within --imbalance ${o.imbalance} by ${missed.map(([name]) => name).join(" and ")} ` +
        "was found: single nodes are too heavy, or fewer parts or a larger imbalance are needed",
    );
  }
  const time = `${seconds.toFixed(2)} s`;
  if (method === whole.name) {
    const of = k === 1 ? "the whole graph" : `each of ${k} graphs`;
    io.say(`order ${order} of ${of}${o.apply ? ", applied" : ""}, ${time}`);
    return;
  }
  const facts = [
    `${k} ${k === 1 ? "part" : "parts"}`,
    `cut ${cut} edges`,
    `balance ${reached.map(([name, x]) => `${x.toFixed(4)} by ${name}`).join(", ") || balance.toFixed(4)}`,
    `halo ${halo}`,
    ...(label_entropy === null ? [] : [`label entropy ${label_entropy.toFixed(3)} nats`]),
    ...(modularity === undefined ? [] : [`modularity ${modularity.toFixed(4)}`]),
    time,
  ];
  const ordered = o.apply ? `graph in order ${order}, ` : o.order === undefined ? "" : `order ${order}, `;
  io.say(`${method}: ${ordered}${facts.join(", ")}`);
}

/** Of parts of edges. */
export function reportEdgePartition(
  io: Io,
  meta: EdgePartitionMeta,
  { kind, digest, seconds }: Written,
): void {
  const { of, method, k: parts, replication_factor, mirrors, balance } = meta;
  io.json({
    kind,
    of,
    method,
    parts,
    replication_factor,
    mirrors,
    balance,
    seconds: rounded(seconds),
    digest,
  });
  io.say(
    `${method}: ${parts} ${parts === 1 ? "part" : "parts"} of edges, replication ` +
      `${replication_factor.toFixed(4)}, balance ${balance.toFixed(4)}, ${seconds.toFixed(2)} s`,
  );
}
