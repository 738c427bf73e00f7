/** Stochastic gradient descent, with momentum on request. */
import { z } from "zod";
import { GustError } from "../errors.ts";
import { defineOptimizer, zerosLike } from "./optimizer.ts";

export const sgd = defineOptimizer({
  name: "sgd",
  summary: "gradient descent with optional (Nesterov) momentum",
  source: "Sutskever et al. 2013, section 2",
  params: z.object({
    momentum: z.number().min(0).lt(1).default(0).describe("share of the last update that is kept"),
    nesterov: z.boolean().default(false).describe("look ahead along the momentum"),
  }).strict(),
  create(engine, parameters, settings, { momentum, nesterov }) {
    if (nesterov && momentum === 0) {
      throw new GustError(
        "usage",
        "--nesterov: the momentum is 0, expected --momentum above 0 to look ahead along",
      );
    }
    const velocity = momentum > 0 ? zerosLike(engine, parameters) : null;
    const lr = engine.stepWord();
    return {
      state: new Map(parameters.flatMap((p, i) => velocity ? [[`${p.name}/velocity`, velocity[i]!]] : [])),
      prepare: (_step, rate) => engine.setStepFloat(lr, rate),
      update(i, gradient) {
        const parameter = parameters[i]!;
        engine.run("sgd", {
          param: parameter.handle,
          grad: gradient.handle,
          velocity: velocity?.[i],
          lr,
          momentum,
          nesterov: Number(nesterov),
          weight_decay: settings.weightDecay(parameter),
        });
      },
    };
  },
});
