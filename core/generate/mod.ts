/** Graph models by name. */
import { registry } from "../registry.ts";
import { erdosRenyi } from "./erdos_renyi.ts";
import type { GeneratorEntry } from "./generator.ts";
import { grid } from "./grid.ts";
import { rmat } from "./rmat.ts";
import { sbm } from "./sbm.ts";
import { smallWorld } from "./small_world.ts";

export const generators = registry<GeneratorEntry>("generator", [sbm, rmat, grid, erdosRenyi, smallWorld]);
