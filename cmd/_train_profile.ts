/** gust train --profile: what the ops of a run took, as a table on stderr, in the JSON result, as a trace in a file. */
import { replaceFile } from "../core/format/write.ts";
import { measureLimits } from "../core/profile/limits.ts";
import { MOST_EVENTS, Profiler } from "../core/profile/profiler.ts";
import { type ProfileReport, profileReport, profileText } from "../core/profile/report.ts";
import { traceText } from "../core/profile/trace.ts";
import { writeNamed } from "./_exit.ts";
import type { Io } from "./_io.ts";

export class TrainProfile {
  readonly profiler: Profiler;
  private report: ProfileReport | null = null;

  constructor(private readonly io: Io, private readonly traceFile: string | undefined) {
    this.profiler = new Profiler(traceFile !== undefined);
  }

  /** Stop watching a run that ended. The last one is held against limits that are measured while it is still there. */
  ran(isLast: boolean): void {
    this.profiler.detach();
    if (!isLast) return;
    this.io.tell("gust train: measuring the machine's limits for the profile\n");
    this.report = profileReport(this.profiler, measureLimits(this.profiler));
  }

  /** Say it, and write the trace. Returns the part of the JSON result. */
  finish(): ProfileReport {
    const { io, profiler, traceFile } = this, report = this.report!;
    io.tell(profileText(report));
    if (traceFile === undefined) return report;
    replaceFile(traceFile, (fd) => {
      for (const piece of traceText(profiler)) writeNamed(fd, `the trace "${traceFile}"`, piece);
    });
    const kept = profiler.ops.length;
    if (kept < profiler.numOps) {
      io.warn(`the trace holds the first ${MOST_EVENTS} of ${profiler.numOps} ops: profile fewer --epochs`);
    }
    return report;
  }
}
