/** Where a path leads. Apart from what writes, so that every command can look at its outputs as it starts. */
import { readlinkSync, realpathSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** As many links as the system follows one after another. */
const MOST_LINKS = 40;

/**
 * The file that a path leads to: links are followed, also to what is not there yet, so that what they point to is made
 * or replaced and not the link.
 */
export function targetOf(path: string, links = 0): string {
  try {
    // The link of a pipe leads to a name, such as "pipe:[12]", that is no path.
    return statSync(path).isFile() ? realpathSync(path) : resolve(path);
  } catch {
    try {
      if (links < MOST_LINKS) {
        return targetOf(resolve(realpathSync(dirname(path)), readlinkSync(path)), links + 1);
      }
    } catch {
      // No link.
    }
    return resolve(path);
  }
}
