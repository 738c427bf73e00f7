import { describe, expect, test } from "bun:test";
import { fieldsOf, parseLog } from "../../../core/plot/log.ts";

const line = (value: unknown) => JSON.stringify(value);

describe("parseLog()", () => {
  test("gathers the rows of each seed by epoch", () => {
    const text = [
      line({ seed: 1, epoch: 2, loss: 0.5 }),
      line({ seed: 1, epoch: 1, loss: 0.7 }),
      line({ seed: 0, epoch: 1, loss: 0.9, val: null, note: "ignored" }),
    ].join("\n");
    expect(parseLog(text, "a").runs).toEqual([
      {
        seed: 1,
        split: null,
        rows: [
          { epoch: 1, values: { seed: 1, epoch: 1, loss: 0.7 } },
          { epoch: 2, values: { seed: 1, epoch: 2, loss: 0.5 } },
        ],
      },
      { seed: 0, split: null, rows: [{ epoch: 1, values: { seed: 0, epoch: 1, loss: 0.9, val: null } }] },
    ]);
  });

  test("takes a byte order mark, CRLF, blank lines and a log without seeds", () => {
    const { runs } = parseLog('\uFEFF{"epoch":1,"loss":2}\r\n\r\n{"epoch":2,"loss":1}\r\n', "a");
    expect(runs).toEqual([{
      seed: null,
      split: null,
      rows: [{ epoch: 1, values: { epoch: 1, loss: 2 } }, { epoch: 2, values: { epoch: 2, loss: 1 } }],
    }]);
  });

  test("the splits of a seed are runs of their own", () => {
    const text = [0, 1].map((split) => line({ seed: 3, split, epoch: 1, loss: split })).join("\n");
    expect(parseLog(text, "a").runs.map(({ seed, split, rows }) => [seed, split, rows.length])).toEqual([
      [3, 0, 1],
      [3, 1, 1],
    ]);
  });

  test("an epoch that comes again replaces the first", () => {
    const { runs } = parseLog([1, 2, 3].map((loss) => line({ epoch: 1, loss })).join("\n"), "a");
    expect(runs[0]!.rows.map(({ values }) => values["loss"])).toEqual([3]);
  });

  test("names file, line, what was found and what was expected", () => {
    const good = line({ epoch: 1, loss: 1 });
    const refused = [
      [`${good}\nnoise\n${good}`, /^a\.jsonl:2: no JSON: .*expected an object as gust train --log/],
      [`${good}\n[1]`, /^a\.jsonl:2: found \[1\], expected an object with "epoch"/],
      [`${good}\n3`, /^a\.jsonl:2: found 3, expected/],
      ['{"loss":1}', /^a\.jsonl:1: "epoch" is missing, expected a number$/],
      ['{"epoch":"x"}', /^a\.jsonl:1: "epoch" is "x", expected a number$/],
      ['{"epoch":1,"seed":"s"}', /^a\.jsonl:1: "seed" is "s", expected a number$/],
      [`${good}\n{"epoch":2,"loss":1e999}`, /^a\.jsonl:2: "loss" is past 1\.8e\+308, expected a number that/],
      ['{"epoch":-1e999}', /^a\.jsonl:1: "epoch" is past 1\.8e\+308, expected a number that is finite$/],
      ["\0\x01\x02", /^a\.jsonl:1: no JSON/],
      ["", /^a\.jsonl: no lines, expected JSON Lines/],
      ["\n\n", /^a\.jsonl: no lines/],
    ] as const;
    for (const [text, message] of refused) expect(() => parseLog(text, "a.jsonl")).toThrow(message);
  });

  test("says that the last line was cut off", () => {
    try {
      parseLog('{"epoch":1,"loss":1}\n{"epoch":2,"lo', "a");
      throw new Error("accepted");
    } catch (error) {
      expect(error).toMatchObject({ code: "data", hint: expect.stringContaining("cut off") });
    }
  });
});

test("fieldsOf() lists the numbers that are there somewhere", () => {
  const log = {
    label: "a",
    ...parseLog('{"epoch":1,"val":null,"loss":1}\n{"epoch":2,"val":null,"f1":3}', "a"),
  };
  expect(fieldsOf([log])).toEqual(["epoch", "loss", "f1"]);
});
