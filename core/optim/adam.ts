/** Adam, and AdamW, which is Adam with decoupled weight decay. */
import { z } from "zod";
import { power } from "../arithmetic.ts";
import { defineOptimizer, type OptimizerEntry, zerosLike } from "./optimizer.ts";

const params = z.object({
  beta1: z.number().min(0).lt(1).default(0.9).describe("decay of the first moment"),
  beta2: z.number().min(0).lt(1).default(0.999).describe("decay of the second moment"),
  eps: z.number().positive().default(1e-8).describe("added to the root of the second moment"),
}).strict();

function adamLike(name: string, summary: string, source: string, decoupled: boolean): OptimizerEntry {
  return defineOptimizer({
    name,
    summary,
    source,
    params,
    create(engine, parameters, settings, { beta1, beta2, eps }) {
      const m = zerosLike(engine, parameters), v = zerosLike(engine, parameters);
      const lr = engine.stepWord(), correction1 = engine.stepWord(), correction2 = engine.stepWord();
      return {
        state: new Map(parameters.flatMap((p, i) => [[`${p.name}/m`, m[i]!], [`${p.name}/v`, v[i]!]])),
        prepare(step, rate) {
          engine.setStepFloat(lr, rate);
          engine.setStepFloat(correction1, 1 - power(beta1, step));
          engine.setStepFloat(correction2, 1 - power(beta2, step));
        },
        update(i, gradient) {
          const parameter = parameters[i]!;
          engine.run("adam", {
            param: parameter.handle,
            grad: gradient.handle,
            m: m[i]!,
            v: v[i]!,
            lr,
            correction1,
            correction2,
            beta1,
            beta2,
            eps,
            weight_decay: settings.weightDecay(parameter),
            decoupled: Number(decoupled),
          });
        },
      };
    },
  });
}

export const adam = adamLike(
  "adam",
  "adaptive moments; weight decay is added to the gradient",
  "Kingma and Ba 2015, arXiv:1412.6980, algorithm 1",
  false,
);
export const adamw = adamLike(
  "adamw",
  "Adam with decoupled weight decay",
  "Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2",
  true,
);
